//! The connection on which Redis tells of the log.

use std::{fmt, pin::Pin};

use callboard_protocol::revalidation::{Epoch, LogPosition};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc;

use super::{CacheLink, CacheStore, Entered, payload::unpack};
use crate::{
    cache::store::{Entry, Push},
    redis::{
        failures::OpenError,
        keys::CacheKeys,
        link::{Link, Opened},
    },
};

/// Most pushes that wait to be taken. Of more the newest are lost, as any may be: who misses one reads the log.
const WAITING_MAX: usize = 1024;

/// What Redis tells to all that listen. It does not come back by itself: once it is [`closed`](Self::closed), open another,
/// and whatever was told meanwhile is lost.
pub struct Pushes {
    link: CacheLink,
    store: CacheStore,
    place: String,
    heard: mpsc::Receiver<Vec<u8>>,
    /// Ends the connection where nobody answers any more, or another memory does; polled while a push is awaited.
    watching: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Pushes {
    /// Finds the master, connects to it, and listens.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which says what to do about it. None of them is for ever: the master may be back in a moment.
    pub async fn open(store: &CacheStore) -> Result<Self, OpenError> {
        let settings = &store.settings;
        let opening = async {
            let (tell, heard) = mpsc::channel(WAITING_MAX);
            let hear = move |push: PushInfo| {
                if let (PushKind::Message, Some(Value::BulkString(text))) =
                    (push.kind, push.data.into_iter().nth(1))
                {
                    // Lost where nobody takes them.
                    let _ = tell.try_send(text);
                }
            };
            let keys = CacheKeys::new(&settings.namespace, settings.url.login.db());
            let Opened { link, place, incarnation } = Link::open(settings, keys, hear).await?;
            let listening = link.redis.clone().subscribe(link.keys.channel()).await;
            listening.map_err(|source| OpenError::of(&place, source))?;
            let (watched, at) = (link.clone(), place.clone());
            let watching = Box::pin(async move {
                loop {
                    tokio::time::sleep(watched.settings.block).await;
                    match watched.settings.in_time(watched.incarnation(&at)).await {
                        Ok(same) if same == incarnation => {}
                        Ok(_) => return watched.end("redis is of another memory now"),
                        Err(error) => return watched.end(&error.to_string()),
                    }
                }
            });
            Ok(Self { link, store: store.clone(), place, heard, watching })
        };
        settings.in_time(opening).await
    }

    /// The next push; none once the connection is of no use any more. It has to be awaited all the time: a connection that
    /// broke without a word is noticed by nobody else.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn next(&mut self) -> Option<Push> {
        loop {
            let text = tokio::select! {
                biased;
                text = self.heard.recv() => text?,
                _ = self.link.closed() => return None,
                () = &mut self.watching => return None,
            };
            if let Some(push) = read(&text, self.store.entered().as_ref()) {
                return Some(push);
            }
        }
    }

    /// Waits until the connection is of no use any more, and says why.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn closed(&self) -> String {
        self.link.closed().await
    }
}

impl Drop for Pushes {
    fn drop(&mut self) {
        self.link.end("closed by this node");
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pushes").field("place", &self.place).finish_non_exhaustive()
    }
}

/// `e<began>-<epoch>-<sequence> <marks>` and `w<began>-<epoch>-<sequence>`. Anything else is passed over, and so is what
/// comes from another epoch with the number of the one that this process is in.
fn read(text: &[u8], entered: Option<&Entered>) -> Option<Push> {
    let (kind, rest) = text.split_first()?;
    let (place, marks) = match kind {
        b'e' => {
            let end = rest.iter().position(|byte| *byte == b' ')?;
            (&rest[..end], Some(&rest[end + 1..]))
        }
        b'w' => (rest, None),
        _ => return None,
    };
    let mut numbers = std::str::from_utf8(place).ok()?.splitn(3, '-');
    let began = numbers.next()?;
    let epoch = Epoch::new(numbers.next()?.parse().ok()?)?;
    let position = LogPosition::new(epoch, numbers.next()?.parse().ok()?)?;
    if entered.is_some_and(|entered| entered.epoch == epoch && *entered.began != *began) {
        return None;
    }
    Some(match marks {
        Some(marks) => Push::Entry(Entry { position, marks: unpack(marks) }),
        None => Push::Watermark(position),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redis::cache::payload::pack;

    fn at(epoch: u64, sequence: u64) -> LogPosition {
        LogPosition::new(Epoch::new(epoch).unwrap(), sequence).unwrap()
    }

    #[test]
    fn pushes_are_read_and_those_of_another_epoch_with_the_same_number_are_not() {
        let entered = Entered { epoch: Epoch::new(7).unwrap(), began: "123".into() };
        let mut entry = b"e123-7-4 ".to_vec();
        entry.extend(pack([].into_iter()));
        let push = Push::Entry(Entry { position: at(7, 4), marks: Some([].into()) });
        assert_eq!(read(&entry, Some(&entered)), Some(push));
        assert_eq!(read(b"w123-7-4", Some(&entered)), Some(Push::Watermark(at(7, 4))));
        assert_eq!(read(b"w124-7-4", Some(&entered)), None);
        assert_eq!(read(b"w124-8-4", Some(&entered)), Some(Push::Watermark(at(8, 4))));
        let newer = Push::Entry(Entry { position: at(7, 5), marks: None });
        assert_eq!(read(b"e123-7-5 \x02of a later version", None), Some(newer));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_push_or_none(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&text, None);
        }

        #[test]
        fn any_text_that_looks_like_one_is_a_push_or_none(text in "[ew]?[0-9-]{0,30} ?.{0,20}") {
            let _ = read(text.as_bytes(), None);
        }
    }
}

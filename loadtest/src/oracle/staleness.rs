//! Pages against the counters that they show.
//!
//! The counter of a tag only rises, so that what a page has to show at least is one number: the highest that an action which
//! was answered before the page was asked for raised it to. What it may show at most is another: as many as were begun.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use serde::Deserialize;

use super::{
    runs::count,
    shape::Given,
    verdict::{Verdict, told},
};
use crate::{
    observation::{Answer, End, Observation},
    results::Outcome,
};

/// Tags that are remembered.
pub(super) const TAGS_MAX: usize = 4096;

/// Heights of counters that are remembered, of all tags together, at some 150 bytes each: of the last quarter of a minute, if
/// 4000 actions make something stale in each second. Pages under way longer than that are not judged.
pub(super) const HEIGHTS_MAX: usize = 65_536;

/// Pages whose contents are remembered by their `etag`, for those that were answered 304.
pub(super) const ETAGS_MAX: usize = 4096;

/// What a page shows: the counter of each of its tags.
pub(super) type Counts = BTreeMap<Arc<str>, i64>;

/// The counters of a run.
#[derive(Default)]
pub(super) struct Staleness {
    tags: HashMap<Arc<str>, Tag>,
    /// The places of all heights, and their tags, oldest first.
    heights: VecDeque<(u64, Arc<str>)>,
    pages: HashMap<(Arc<str>, Box<str>), Counts>,
    etags: VecDeque<(Arc<str>, Box<str>)>,
}

/// The counter of a tag.
#[derive(Default)]
struct Tag {
    /// From when on it was certainly how high, both rising.
    heights: VecDeque<Height>,
    /// Some were let go of.
    is_forgotten: bool,
    begun: u64,
    done: u64,
    /// The highest that it can have been before anybody counted; unknown until somebody was told.
    base_max: Option<i64>,
}

struct Height {
    place: u64,
    count: i64,
    /// The action that was answered.
    told: Box<str>,
}

/// What was known of a tag when somebody began to raise its counter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    done: u64,
    count: Option<i64>,
}

impl Staleness {
    /// Somebody begins to raise the counter of a tag.
    pub(super) fn bumping(&mut self, tag: &Arc<str>) -> Before {
        if self.tags.len() == TAGS_MAX && !self.tags.contains_key(tag) {
            return Before::default();
        }
        let known = self.tags.entry(Arc::clone(tag)).or_default();
        known.begun += 1;
        Before { done: known.done, count: known.heights.back().map(|height| height.count) }
    }

    /// It has ended, at this place.
    pub(super) fn bumped(
        &mut self,
        (tag, before): (&Arc<str>, Before),
        place: u64,
        (observation, given): (&Observation, &Given),
        verdict: &mut Verdict,
    ) {
        if observation.end.outcome() != Outcome::Done {
            return;
        }
        let count = match given {
            Given::Value(row) => count(row),
            _ => None,
        };
        let (Some(known), Some(count)) = (self.tags.get_mut(tag), count) else {
            verdict.undecided("nobody knows how high a counter is");
            return;
        };
        verdict.judged();
        if before.count.is_some_and(|before| count <= before) {
            let what = || {
                format!("{tag} was raised to {count}, although it was {} before", before.count.unwrap_or(0))
            };
            verdict.broken(what, || {
                let before = known.heights.iter().rfind(|height| Some(height.count) == before.count);
                before.map(|height| height.told.to_string()).into_iter().chain([told(observation)]).collect()
            });
        }
        known.done += 1;
        let base_max = count - 1 - before.done.cast_signed();
        known.base_max = Some(known.base_max.map_or(base_max, |known| known.min(base_max)));
        if known.heights.back().is_none_or(|height| height.count < count) {
            known.heights.push_back(Height { place, count, told: told(observation).into() });
            self.heights.push_back((place, Arc::clone(tag)));
        }
        if self.heights.len() > HEIGHTS_MAX {
            self.forget();
        }
    }

    /// Lets go of the oldest height; each tag keeps one.
    fn forget(&mut self) {
        let Some((oldest, tag)) = self.heights.pop_front() else { return };
        let Some(tag) = self.tags.get_mut(&tag) else { return };
        while tag.heights.len() > 1 && tag.heights[0].place <= oldest {
            tag.heights.pop_front();
            tag.is_forgotten = true;
        }
    }

    /// A page that was asked for at this place has ended.
    pub(super) fn page(
        &mut self,
        path: &Arc<str>,
        asked: u64,
        (observation, shown): (&Observation, Option<Counts>),
        verdict: &mut Verdict,
    ) {
        let End::Answered(answer) = &observation.end else {
            verdict.undecided("a page was not answered");
            return;
        };
        let counts = match (answer.status, shown) {
            (200, Some(counts)) => {
                self.remember(path, answer, &counts);
                counts
            }
            (304, _) => {
                let etag = answer.header("etag").unwrap_or_default();
                let Some(counts) = self.pages.get(&(Arc::clone(path), etag.into())) else {
                    verdict.undecided("a page was answered 304, and what it showed was forgotten");
                    return;
                };
                counts.clone()
            }
            (500..=599, _) => {
                verdict.undecided("a page was answered with an error");
                return;
            }
            _ => {
                verdict.undecided("a page showed nothing");
                return;
            }
        };
        verdict.judged();
        for (tag, count) in &counts {
            if let Some(known) = self.tags.get(tag) {
                known.judge(tag, *count, (asked, observation), verdict);
            } else if self.tags.len() == TAGS_MAX {
                verdict.undecided("a page has a tag too many to be remembered");
            }
        }
    }

    fn remember(&mut self, path: &Arc<str>, answer: &Answer, counts: &Counts) {
        let Some(etag) = answer.header("etag") else { return };
        let key = (Arc::clone(path), Box::<str>::from(etag));
        if self.pages.insert(key.clone(), counts.clone()).is_some() {
            return;
        }
        self.etags.push_back(key);
        if self.etags.len() > ETAGS_MAX
            && let Some(oldest) = self.etags.pop_front()
        {
            self.pages.remove(&oldest);
        }
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> [usize; 4] {
        let heights = self.tags.values().map(|tag| tag.heights.len()).sum();
        [self.tags.len(), heights, self.heights.len(), self.pages.len()]
    }
}

impl Tag {
    /// How high it certainly was at a place.
    fn height(&self, place: u64) -> Option<&Height> {
        self.heights.iter().rev().find(|height| height.place < place)
    }

    fn judge(&self, tag: &str, count: i64, (asked, observation): (u64, &Observation), verdict: &mut Verdict) {
        match self.height(asked) {
            Some(height) if count < height.count => {
                let what =
                    || format!("a page shows {tag} as {count}, although it was {} before", height.count);
                verdict.broken(what, || vec![height.told.to_string(), told(observation)]);
            }
            None if self.is_forgotten => verdict.undecided("a page took too long to be judged"),
            _ => {}
        }
        if let Some(base) = self.base_max
            && count > base.saturating_add_unsigned(self.begun)
        {
            let what = || {
                let begun = self.begun;
                format!(
                    "a page shows {tag} as {count}, and nobody can have raised it that far by {begun} actions"
                )
            };
            verdict.broken(what, || vec![told(observation)]);
        }
    }
}

/// What the script of a page says.
#[derive(Deserialize)]
struct Script {
    counts: Counts,
}

/// What a page shows, if it shows its counters: in a script, or in the paragraph that `/tag/T` has.
pub(super) fn shown(path: &str, answer: &Answer) -> Option<Counts> {
    let text = std::str::from_utf8(&answer.body).ok().filter(|_| answer.status == 200)?;
    if let Some((_, script)) = text.split_once("<script type=\"application/json\">") {
        let (script, _) = script.split_once("</script>")?;
        return serde_json::from_str::<Script>(script).ok().map(|script| script.counts);
    }
    let (_, count) = text.split_once("<p id=\"count\">")?;
    let count = count.split_once("</p>")?.0.trim().parse().ok()?;
    let path = path.split(['?', '#']).next()?;
    Some(Counts::from([(path.rsplit('/').next()?.into(), count)]))
}

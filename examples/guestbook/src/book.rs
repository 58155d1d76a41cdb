//! The book: entries behind SQL, so that several nodes share them.

use std::{num::NonZeroU32, path::PathBuf};

use serde::Serialize;
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _, FromRow, any::AnyPoolOptions};

use crate::{
    entry::{Entry, Message, Name},
    moment::Moment,
};

/// Entries on one leaf: what one looks through without leafing.
const LEAF_ENTRIES: u32 = 10;

/// Connections of one node. `SQLite` has one writer at a time whatever this is; readers do not wait for it.
const CONNECTIONS_MAX: u32 = 8;

/// What sqlx calls the one of its two drivers that needs other words here and there.
const SQLITE: &str = "SQLite";

/// `SQLite`: a deleted entry's number is not given again, so that an old page cannot mean a new entry.
const SQLITE_SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        message TEXT NOT NULL,
        owner TEXT,
        written BIGINT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS entries_by_owner ON entries (owner, id)";

/// `PostgreSQL`: nodes that start together take turns, because `IF NOT EXISTS` alone does not keep them apart. The
/// statements are one transaction, whose end gives the lock back. What exists already is not worth a notice.
const POSTGRES_SCHEMA: &str = "
    SET client_min_messages = warning;
    SELECT pg_advisory_xact_lock(7308332045268804459);
    CREATE TABLE IF NOT EXISTS entries (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name TEXT NOT NULL,
        message TEXT NOT NULL,
        owner TEXT,
        written BIGINT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS entries_by_owner ON entries (owner, id)";

/// Everything that was written and not deleted.
pub(crate) struct Book(AnyPool);

/// Why there is no book.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the book in {place}")]
pub(crate) struct OpenError {
    place: String,
    source: sqlx::Error,
}

/// Some entries of the book, newest first, and where among them one is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leaf {
    pub(crate) entries: Vec<Entry>,
    /// Number of this leaf, from 1 on; above `last` if there is no such leaf.
    pub(crate) number: u32,
    /// Number of the last leaf; an empty book has one, which is empty.
    pub(crate) last: u32,
    /// Entries on all leaves.
    pub(crate) entries_total: i64,
}

/// What became of a wish to remove an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// It is gone.
    Done,
    /// It was gone before.
    Missing,
    /// It is not theirs.
    Forbidden,
}

/// An entry as the store has it.
#[derive(FromRow)]
struct Row {
    id: i64,
    name: String,
    message: String,
    written: i64,
}

impl Book {
    /// Opens the book in `DATABASE_URL`, or else in a `SQLite` file of this folder; makes one where there is none.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(crate) async fn open(folder: PathBuf) -> Result<Self, OpenError> {
        match std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()) {
            // The URL may hold a password, so errors name the variable only.
            Some(url) => Self::connect(&url, "DATABASE_URL".into()).await,
            None => Self::open_file(folder).await,
        }
    }

    /// Opens the book in a `SQLite` file of this folder; makes one where there is none.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(crate) async fn open_file(folder: PathBuf) -> Result<Self, OpenError> {
        let place = folder.join("guestbook.sqlite").display().to_string();
        // The three characters that mean something else in a URL's path.
        let path = place.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
        Self::connect(&format!("sqlite://{path}?mode=rwc"), place).await
    }

    async fn connect(url: &str, place: String) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        match Self::connected(url).await {
            Ok(pool) => Ok(Self(pool)),
            Err(source) => Err(OpenError { place, source }),
        }
    }

    async fn connected(url: &str) -> Result<AnyPool, sqlx::Error> {
        // A connection of its own, because a pool would try for half a minute and then not say what was wrong.
        let mut connection = AnyConnection::connect(url).await?;
        set_up(&mut connection).await?;
        let schema = if connection.backend_name() == SQLITE { SQLITE_SCHEMA } else { POSTGRES_SCHEMA };
        connection.execute(schema).await?;
        connection.close().await?;
        AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .after_connect(|connection, _| Box::pin(set_up(connection)))
            .connect_lazy(url)
    }

    /// Writes an entry, which is `owner`'s if somebody is signed in, and gives its number.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(crate) async fn write(
        &self,
        name: &Name,
        message: &Message,
        owner: Option<&str>,
    ) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "INSERT INTO entries (name, message, owner, written) VALUES ($1, $2, $3, $4) RETURNING id",
        )
        .bind(name.as_str())
        .bind(message.as_str())
        .bind(owner)
        .bind(Moment::now().to_stored())
        .fetch_one(&self.0)
        .await
    }

    /// A leaf of the whole book.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(crate) async fn leaf(&self, number: NonZeroU32) -> Result<Leaf, sqlx::Error> {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM entries");
        let entries_total = count.fetch_one(&self.0).await?;
        let rows = sqlx::query_as(
            "SELECT id, name, message, written FROM entries ORDER BY id DESC LIMIT $1 OFFSET $2",
        );
        let rows = rows.bind(i64::from(LEAF_ENTRIES)).bind(offset(number)).fetch_all(&self.0).await?;
        Ok(Leaf::new(number, entries_total, rows))
    }

    /// A leaf of what one person wrote.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(crate) async fn leaf_of(&self, owner: &str, number: NonZeroU32) -> Result<Leaf, sqlx::Error> {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM entries WHERE owner = $1").bind(owner);
        let entries_total = count.fetch_one(&self.0).await?;
        let rows = sqlx::query_as(
            "SELECT id, name, message, written FROM entries WHERE owner = $1 \
             ORDER BY id DESC LIMIT $2 OFFSET $3",
        );
        let rows =
            rows.bind(owner).bind(i64::from(LEAF_ENTRIES)).bind(offset(number)).fetch_all(&self.0).await?;
        Ok(Leaf::new(number, entries_total, rows))
    }

    /// Removes an entry if it is this person's.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(crate) async fn remove(&self, entry: i64, owner: &str) -> Result<Removal, sqlx::Error> {
        // Owner and removal are one statement: nothing can come between them.
        let removed = sqlx::query("DELETE FROM entries WHERE id = $1 AND owner = $2")
            .bind(entry)
            .bind(owner)
            .execute(&self.0)
            .await?;
        if removed.rows_affected() > 0 {
            return Ok(Removal::Done);
        }
        let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM entries WHERE id = $1")
            .bind(entry)
            .fetch_one(&self.0)
            .await?;
        Ok(if left == 0 { Removal::Missing } else { Removal::Forbidden })
    }
}

impl Leaf {
    fn new(number: NonZeroU32, entries_total: i64, rows: Vec<Row>) -> Self {
        let leaves = u64::try_from(entries_total).unwrap_or(0).div_ceil(u64::from(LEAF_ENTRIES));
        Self {
            entries: rows.into_iter().map(Entry::from).collect(),
            number: number.get(),
            last: u32::try_from(leaves).unwrap_or(u32::MAX).max(1),
            entries_total,
        }
    }

    /// The leaf before this one, with newer entries.
    pub(crate) fn newer(&self) -> Option<u32> {
        (self.number > 1).then(|| self.number - 1)
    }

    /// The leaf after this one, with older entries.
    pub(crate) fn older(&self) -> Option<u32> {
        (self.number < self.last).then(|| self.number + 1)
    }
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        let Row { id, name, message, written } = row;
        Self { id, name, message, written: Moment::of_stored(written) }
    }
}

/// What every connection starts with.
async fn set_up(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    if connection.backend_name() == SQLITE {
        // A second writer waits its turn, and readers do not wait for a writer.
        connection.execute("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL").await?;
    }
    Ok(())
}

/// How many entries stand before this leaf.
fn offset(number: NonZeroU32) -> i64 {
    i64::from(number.get() - 1) * i64::from(LEAF_ENTRIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: NonZeroU32 = NonZeroU32::MIN;

    async fn empty_book() -> (Book, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Book::open_file(folder.path().to_owned()).await.unwrap(), folder)
    }

    async fn written(book: &Book, message: &str, owner: Option<&str>) -> i64 {
        let (name, message) = (Name::parse("Ada").unwrap(), Message::parse(message).unwrap());
        book.write(&name, &message, owner).await.unwrap()
    }

    #[tokio::test]
    async fn a_new_book_has_one_empty_leaf() {
        let (book, _folder) = empty_book().await;
        let leaf = book.leaf(FIRST).await.unwrap();
        assert_eq!(leaf, Leaf { entries: Vec::new(), number: 1, last: 1, entries_total: 0 });
        assert_eq!((leaf.newer(), leaf.older()), (None, None));
    }

    #[tokio::test]
    async fn entries_come_newest_first_ten_on_a_leaf() {
        let (book, _folder) = empty_book().await;
        for count in 1..=21 {
            written(&book, &format!("message {count} ☃ <b>"), None).await;
        }
        let leaf = book.leaf(FIRST).await.unwrap();
        assert_eq!((leaf.entries.len(), leaf.last, leaf.entries_total), (10, 3, 21));
        assert_eq!((leaf.newer(), leaf.older()), (None, Some(2)));
        assert_eq!(leaf.entries[0].message, "message 21 ☃ <b>");
        assert!(leaf.entries[0].written.to_stored() > 1_700_000_000);

        let last = book.leaf(NonZeroU32::new(3).unwrap()).await.unwrap();
        assert_eq!((last.entries.len(), last.newer(), last.older()), (1, Some(2), None));
        let beyond = book.leaf(NonZeroU32::MAX).await.unwrap();
        assert_eq!((beyond.entries.len(), beyond.last), (0, 3));
    }

    #[tokio::test]
    async fn a_person_finds_their_own_entries_only() {
        let (book, _folder) = empty_book().await;
        let own = written(&book, "mine", Some("ada")).await;
        written(&book, "theirs", Some("ben")).await;
        written(&book, "nobody's", None).await;
        let leaf = book.leaf_of("ada", FIRST).await.unwrap();
        assert_eq!(leaf.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [own]);
        assert_eq!(leaf.entries_total, 1);
    }

    #[tokio::test]
    async fn an_entry_is_removed_by_its_owner_alone() {
        let (book, _folder) = empty_book().await;
        let owned = written(&book, "hers", Some("ada")).await;
        let unowned = written(&book, "nobody's", None).await;
        assert_eq!(book.remove(owned, "ben").await.unwrap(), Removal::Forbidden);
        assert_eq!(book.remove(unowned, "ada").await.unwrap(), Removal::Forbidden);
        assert_eq!(book.remove(owned, "ada").await.unwrap(), Removal::Done);
        assert_eq!(book.remove(owned, "ada").await.unwrap(), Removal::Missing);
        assert_eq!(book.leaf(FIRST).await.unwrap().entries_total, 1);
    }

    #[tokio::test]
    async fn the_number_of_a_removed_entry_is_not_given_again() {
        let (book, _folder) = empty_book().await;
        let first = written(&book, "hers", Some("ada")).await;
        assert_eq!(book.remove(first, "ada").await.unwrap(), Removal::Done);
        assert!(written(&book, "next", None).await > first);
    }

    #[tokio::test]
    async fn a_book_outlives_its_node_and_its_folder_may_have_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("50% of #1, why?");
        std::fs::create_dir(&odd).unwrap();
        written(&Book::open_file(odd.clone()).await.unwrap(), "kept", None).await;
        assert!(odd.join("guestbook.sqlite").exists());
        assert_eq!(Book::open_file(odd).await.unwrap().leaf(FIRST).await.unwrap().entries_total, 1);
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_named() {
        let missing = PathBuf::from("/nowhere/at/all");
        let error = Book::open_file(missing).await.err().unwrap();
        assert_eq!(error.to_string(), "cannot open the book in /nowhere/at/all/guestbook.sqlite");
    }
}

//! Counters behind SQL, so that several nodes share them.

use std::path::PathBuf;

use sqlx::{AnyConnection, AnyPool, Executor as _, any::AnyPoolOptions};

/// Named counters in `DATABASE_URL`, or in a file of the state directory.
pub(crate) struct Counters(AnyPool);

impl Counters {
    /// Connects, and makes the table if it is missing.
    pub(crate) async fn open(state_dir: PathBuf) -> Result<Self, sqlx::Error> {
        sqlx::any::install_default_drivers();
        let file = || format!("sqlite://{}?mode=rwc", state_dir.join("workload.sqlite").display());
        let url = std::env::var("DATABASE_URL").unwrap_or_else(|_| file());
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .after_connect(|connection, _| Box::pin(set_up(connection)))
            .connect(&url)
            .await?;
        sqlx::raw_sql("CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, count BIGINT NOT NULL)")
            .execute(&pool)
            .await?;
        Ok(Self(pool))
    }

    /// Adds to a counter and gives its new value.
    pub(crate) async fn add(&self, name: &str, step: i64) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "INSERT INTO counters (name, count) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET count = counters.count + $2 RETURNING count",
        )
        .bind(name)
        .bind(step)
        .fetch_one(&self.0)
        .await
    }

    /// A counter's value; 0 for one that was never counted.
    pub(crate) async fn read(&self, name: &str) -> Result<i64, sqlx::Error> {
        let count = sqlx::query_scalar("SELECT count FROM counters WHERE name = $1").bind(name);
        Ok(count.fetch_optional(&self.0).await?.unwrap_or(0))
    }

    /// Writes a counter.
    pub(crate) async fn set(&self, name: &str, count: i64) -> Result<(), sqlx::Error> {
        let set =
            "INSERT INTO counters (name, count) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET count = $2";
        sqlx::query(set).bind(name).bind(count).execute(&self.0).await?;
        Ok(())
    }
}

/// With a file, readers do not wait for the writer, and a second writer waits its turn.
async fn set_up(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    if connection.backend_name() == "SQLite" {
        connection.execute("PRAGMA journal_mode = WAL").await?;
        connection.execute("PRAGMA busy_timeout = 5000").await?;
    }
    Ok(())
}

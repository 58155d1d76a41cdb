//! revalidation

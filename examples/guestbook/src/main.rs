//! A guestbook: signed, read and tidied up by plain forms, without JavaScript.
//!
//! Reading order: [`pages`] is what a visitor sees, [`actions`] what the forms on it call, [`session`] who is
//! calling; [`entry`] says what may be written, [`book`] keeps it, [`moment`] tells when that was.

mod actions;
mod book;
mod entry;
mod moment;
mod pages;
mod session;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use callboard::App;

use book::Book;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    App::new("guestbook").setup(|start| Book::open(start.state_dir)).run()
}

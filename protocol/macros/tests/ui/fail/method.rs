use callboard::action;

struct Book;

impl Book {
    #[action(public)]
    async fn sign(&self, name: String) -> String {
        name
    }
}

fn main() {}

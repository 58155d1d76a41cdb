use callboard::action;

#[action(public)]
async fn ping() {}

#[action(public)]
async fn sign(name: String) -> String {
    name
}

fn main() {}

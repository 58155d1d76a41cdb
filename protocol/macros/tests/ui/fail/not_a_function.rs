use callboard::action;

#[action(public)]
struct Sign {
    name: String,
}

fn main() {}

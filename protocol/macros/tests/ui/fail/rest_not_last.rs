use callboard::{ActionContext, Rest, action};

#[action(public)]
async fn total(_cx: &ActionContext, numbers: Rest<u64>, label: String) -> usize {
    let _: Rest<u64> = numbers;
    label.len()
}

fn main() {}

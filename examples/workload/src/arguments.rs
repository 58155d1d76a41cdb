//! Actions that are picky about their arguments.

use callboard::{ActionContext, action};
use serde::Deserialize;

/// What somebody buys.
#[derive(Deserialize)]
struct Order {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    price: f64,
}

/// Says what an order costs.
#[action(public, name = "order")]
async fn order(_cx: &ActionContext, customer: String, bought: Order) -> String {
    let total: f64 = bought.items.iter().map(|item| item.price).sum();
    format!("{customer}: {total}")
}

/// A list of lists, as deep and as wide as the client likes.
#[derive(Deserialize)]
struct Tree(Vec<Tree>);

/// Counts the lists in a list. What the client shares is unpacked for each use, as Rust's trees cannot share.
#[action(public, name = "count_lists")]
async fn count_lists(_cx: &ActionContext, tree: Tree) -> u64 {
    let mut count = 0;
    let mut open = vec![tree];
    while let Some(Tree(inner)) = open.pop() {
        count += 1;
        open.extend(inner);
    }
    count
}

use callboard::{ActionContext, action};

#[derive(Debug)]
struct Full;

#[action(public)]
async fn sign(_cx: &ActionContext) -> Result<u64, Full> {
    Err(Full)
}

#[action(public, errors = "value")]
async fn sign_softly(_cx: &ActionContext) -> Result<u64, Full> {
    Err(Full)
}

#[action(public, errors = "value")]
async fn count(_cx: &ActionContext) -> u64 {
    0
}

fn main() {}

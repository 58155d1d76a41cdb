use callboard::{ActionContext, action};

#[action(public = true)]
async fn one(_cx: &ActionContext) {}

#[action(guard)]
async fn two(_cx: &ActionContext) {}

#[action(guard(signed_in))]
async fn three(_cx: &ActionContext) {}

#[action(guard = "signed_in")]
async fn four(_cx: &ActionContext) {}

#[action(public, revalidates = "guestbook")]
async fn five(_cx: &ActionContext) {}

#[action(public, errors = "throw")]
async fn six(_cx: &ActionContext) -> Result<(), String> {
    Ok(())
}

#[action(public, errors = "value")]
async fn seven(_cx: &ActionContext) {}

#[action(public idempotent)]
async fn eight(_cx: &ActionContext) {}

#[action("public")]
async fn nine(_cx: &ActionContext) {}

fn main() {}

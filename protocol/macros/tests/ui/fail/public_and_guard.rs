use callboard::{ActionContext, GuardContext, Principal, Refusal, action};

async fn signed_in(_cx: &GuardContext) -> Result<Principal, Refusal> {
    Err(Refusal::unauthorized())
}

#[action(public, guard = signed_in)]
async fn sign(_cx: &ActionContext, name: String) -> String {
    name
}

fn main() {}

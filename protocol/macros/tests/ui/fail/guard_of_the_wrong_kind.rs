use callboard::{ActionContext, GuardContext, Principal, Refusal, action};

async fn yes_or_no(_cx: &GuardContext) -> bool {
    true
}

fn not_async(_cx: &GuardContext) -> Result<Principal, Refusal> {
    Err(Refusal::unauthorized())
}

async fn of_the_action(_cx: &ActionContext) -> Result<Principal, Refusal> {
    Err(Refusal::unauthorized())
}

#[action(guard = yes_or_no)]
async fn one(_cx: &ActionContext) {}

#[action(guard = not_async)]
async fn two(_cx: &ActionContext) {}

#[action(guard = of_the_action)]
async fn three(_cx: &ActionContext) {}

#[action(guard = nowhere)]
async fn four(_cx: &ActionContext) {}

fn main() {}

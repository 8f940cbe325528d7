//! The systems that the tests of this program share, because deploying one takes longer than most tests. A test uses
//! one system alone. It begins at level 1 with empty queues and with alarms that are off.

use std::sync::{Mutex, PoisonError};

use local::progress::Progress;
use local::stack::LocalStack;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::common::{System, force_to, quick, with};
use crate::proxy::Proxy;

/// Visibility timeout of the queue. It is longer than an execution with killed tasks on a busy machine, so that the
/// message is not delivered again meanwhile, and short enough to wait for.
pub const VISIBILITY_SECONDS: u32 = 30;

struct Rig {
    system: System,
    proxy: Proxy,
    /// The last field, because fields are dropped in order and the others need the runtime.
    runtime: Runtime,
}

/// Systems that no test uses at the moment. They end with this process.
static FREE: Mutex<Vec<Rig>> = Mutex::new(Vec::new());

/// A system in use, which becomes free when this is dropped, even if the test fails.
struct Taken(Option<Rig>);

impl Taken {
    fn any() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(Some(free.unwrap_or_else(Rig::new)))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        FREE.lock().unwrap_or_else(PoisonError::into_inner).extend(self.0.take());
    }
}

/// Runs a test on a system that no other test uses meanwhile.
pub fn alone(test: impl AsyncFnOnce(&System, &Proxy)) {
    let taken = Taken::any();
    let Rig { system, proxy, runtime } = taken.0.as_ref().unwrap();
    runtime.block_on(async {
        afresh(system).await;
        let injected = proxy.injected();
        test(system, proxy).await;
        println!("{} faults injected into calls", proxy.injected() - injected);
    });
}

impl Rig {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (system, proxy) = runtime.block_on(async {
            let proxy = Proxy::start().await;
            let stack = LocalStack::start_seen_at(&Progress::quiet(), Some(&proxy.address)).await.unwrap();
            proxy.stand_before(stack.endpoint(), stack.lambdas());
            let system = System::deploy(stack, &quick()).await;
            // The schedule's evaluations would hide whether alarms and commands recover by themselves.
            system.without_schedule().await;
            (system, proxy)
        });
        Self { system, proxy, runtime }
    }
}

async fn afresh(system: &System) {
    let queues = system.queues();
    for queue in ["AlarmQueueUrl", "DeadLetterQueueUrl"] {
        queues.purge_queue().queue_url(system.deployment.output(queue)).send().await.unwrap();
    }
    system.messages_come_back_after(VISIBILITY_SECONDS).await;
    system.level_alarms_are_off().await;
    system.queue_is_empty().await;
    system.execute(&with(force_to(1), json!({"repair": true}))).await.unwrap();
    system.routed(1, "table").await;
}

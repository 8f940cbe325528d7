//! The system that all tests of this program share, one after the other: deploying it takes longer than
//! most of them. Each begins at level 1 with a queue that is empty and alarms that are off.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use local::progress::Progress;
use local::stack::LocalStack;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::common::{System, eventually, force_to, quick, with};
use crate::proxy::Proxy;

/// Long enough for an execution on a busy machine, and soon enough to wait for.
pub const VISIBILITY_SECONDS: u32 = 10;

struct Rig {
    system: System,
    proxy: Proxy,
    turn: Mutex<()>,
    /// Last, so that it outlives what runs on it.
    runtime: Runtime,
}

/// Gone with the last test that uses it.
static SHARED: Mutex<Weak<Rig>> = Mutex::new(Weak::new());

/// Runs a test on the shared system, alone.
pub fn alone(test: impl AsyncFnOnce(&System, &Proxy)) {
    let rig = rig();
    let _turn = rig.turn.lock().unwrap_or_else(PoisonError::into_inner);
    rig.runtime.block_on(async {
        let Rig { system, proxy, .. } = &*rig;
        afresh(system).await;
        let injected = proxy.injected();
        test(system, proxy).await;
        println!("{} faults injected into calls", proxy.injected() - injected);
    });
}

fn rig() -> Arc<Rig> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(rig) = shared.upgrade() {
        return rig;
    }
    let runtime = Runtime::new().unwrap();
    let (system, proxy) = runtime.block_on(async {
        let proxy = Proxy::start().await;
        let stack = LocalStack::start_seen_at(&Progress::quiet(), Some(&proxy.address)).await.unwrap();
        proxy.stand_before(stack.endpoint(), stack.lambdas());
        let system = System::deploy(stack, &quick()).await;
        // A look each minute would heal what the tests want to see healed otherwise.
        system.without_schedule().await;
        (system, proxy)
    });
    let rig = Arc::new(Rig { system, proxy, turn: Mutex::new(()), runtime });
    *shared = Arc::downgrade(&rig);
    rig
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

/// What became of messages that were sent: all dealt with, none given up.
pub async fn none_is_lost(system: &System, sent: usize, processed_before: f64) {
    system.queue_is_empty().await;
    assert_eq!(system.dead_letters().await, 0, "nothing was given up");
    // A message may be delivered more than once, but not less.
    let wanted = f64::from(u32::try_from(sent).unwrap());
    let processed = eventually("the processing of every message", async || {
        let processed = system.processor_sum("RecordsProcessed").await - processed_before;
        (processed >= wanted).then_some(processed)
    })
    .await;
    println!("{sent} messages sent, {processed} processed, 0 lost");
}

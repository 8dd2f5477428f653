//! Answers on their way to the threads of their connections, many at a time: a thread is woken once for all of them.
//!
//! Always true:
//!   answers of one delivery reach the connections of a thread in their order

use tokio::sync::{mpsc, oneshot};

use crate::inbox::Answered;

/// Answers, each with who waits for it.
pub(crate) type Delivery = Vec<(oneshot::Sender<Answered>, Answered)>;

/// Where the deliveries of each thread go, by its number.
pub(crate) type Couriers = Box<[mpsc::UnboundedSender<Delivery>]>;

/// Gives answers out in the thread of those who wait, who are then not woken one by one from another.
pub(crate) async fn deliver(mut deliveries: mpsc::UnboundedReceiver<Delivery>) {
    while let Some(delivery) = deliveries.recv().await {
        give_out(delivery);
    }
}

/// Who has gone is not answered.
pub(crate) fn give_out(delivery: Delivery) {
    for (sender, answered) in delivery {
        let _ = sender.send(answered);
    }
}

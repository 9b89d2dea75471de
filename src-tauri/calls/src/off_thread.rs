//! Computing that may take long.

/// Fewer bytes are read in milliseconds.
const MAX_BYTES_IN_PLACE: usize = 1 << 20;

/// Computes something of so many bytes. If they are many, a thread for blocking work does it, because the current one serves other
/// connections, too.
pub async fn off_thread_if_large<T: Send + 'static>(bytes: usize, compute: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes <= MAX_BYTES_IN_PLACE {
        return compute();
    }
    match tokio::task::spawn_blocking(compute).await {
        Ok(made) => made,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and with it whoever waits for this.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn little_is_computed_in_place_and_much_on_another_thread() {
        let here = thread::current().id();
        for (bytes, is_here) in [(0, true), (1 << 20, true), ((1 << 20) + 1, false), (64 << 20, false)] {
            let there = off_thread_if_large(bytes, || thread::current().id()).await;
            assert_eq!(there == here, is_here, "{bytes} bytes");
        }
    }

    #[tokio::test]
    #[should_panic(expected = "as it was")]
    async fn a_panic_goes_on_where_the_result_was_awaited() {
        off_thread_if_large(64 << 20, || panic!("as it was")).await;
    }
}

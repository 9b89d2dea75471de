//! A connection that has changed to another protocol, such as WebSocket (RFC 6455): its bytes go on as they are.

use std::{io, pin::pin, time::Duration};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// How long the other side may still say something after one has closed its own.
const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

/// Passes on what client and provider say to each other after a response with 101, until one of them closes, or until `ended`. Either
/// connection is closed then.
pub async fn tunnel(client: OnUpgrade, provider: OnUpgrade, ended: impl Future<Output = ()>) {
    let passing = async {
        let (client, provider) = tokio::try_join!(client, provider).map_err(io::Error::other)?;
        pass_on(TokioIo::new(client), TokioIo::new(provider)).await
    };
    tokio::select! {
        passed = passing => if let Err(error) = passed {
            tracing::debug!("a connection that was upgraded broke off: {error}");
        },
        () = ended => {}
    }
}

async fn pass_on(client: impl AsyncRead + AsyncWrite, provider: impl AsyncRead + AsyncWrite) -> io::Result<()> {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_provider, to_provider) = tokio::io::split(provider);
    let mut up = pin!(pass_one_way(from_client, to_provider));
    let mut down = pin!(pass_one_way(from_provider, to_client));
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    tokio::select! {
        ended = &mut up => {
            ended?;
            tokio::time::timeout(CLOSE_DEADLINE, down).await.map_err(late)?
        }
        ended = &mut down => {
            ended?;
            tokio::time::timeout(CLOSE_DEADLINE, up).await.map_err(late)?
        }
    }
}

/// A closed direction is closed on the other side, too.
async fn pass_one_way(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_one_side_says_reaches_the_other_and_the_end_too() {
        for provider_closes in [false, true] {
            let ((mut client, near), (mut provider, far)) = (duplex(16), duplex(16));
            let passing = tokio::spawn(pass_on(near, far));
            let long = vec![b'x'; 100_000];
            let sent = long.clone();
            let sending = tokio::spawn(async move {
                client.write_all(&sent).await.expect("taken");
                client
            });
            let mut received = vec![0; long.len()];
            provider.read_exact(&mut received).await.expect("passed on");
            assert_eq!(received, long);
            let mut client = sending.await.expect("sent");
            provider.write_all(b"pong").await.expect("taken");
            let mut pong = [0; 4];
            client.read_exact(&mut pong).await.expect("passed on");
            if provider_closes {
                drop(provider);
                assert_eq!(client.read(&mut pong).await.expect("the end"), 0);
                drop(client);
            } else {
                drop(client);
                assert_eq!(provider.read(&mut pong).await.expect("the end"), 0);
                drop(provider);
            }
            passing.await.expect("no panic").expect("no error");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_never_closes_is_closed() {
        let ((client, near), (mut provider, far)) = (duplex(16), duplex(16));
        let passing = tokio::spawn(pass_on(near, far));
        drop(client);
        assert_eq!(provider.read(&mut [0; 4]).await.expect("the end"), 0);
        passing.await.expect("no panic").expect_err("it waited long enough");
    }
}

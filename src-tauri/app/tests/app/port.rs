//! While another program has the API's port, the window says so, at the places that need the port too.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

use relink_contract::window::{Change, LinkFor};
use relink_engine::keychain::MemoryKeychain;
use serde_json::json;

use crate::world::{World, next};

#[tokio::test]
async fn a_taken_port_is_reported_where_it_is_needed_until_another_one_is_chosen() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    held.set_nonblocking(true).expect("set");
    let taken = held.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::start_at(taken, folder, MemoryKeychain::default()).await;

    let overview = world.app.overview().await.expect("an overview");
    let problem = overview.port_problem.expect("a problem");
    assert_eq!(problem, format!("Port {} is used by another program.", taken.port()));
    let purpose = || LinkFor::Tenant("acme-1".to_owned());
    for refused in [
        world.app.get_connection_link(purpose()).await.expect_err("no page can be opened"),
        world.app.open_base_url().expect_err("no page can be opened"),
    ] {
        assert_eq!((refused.code.as_str(), &refused.message), ("port_taken", &problem));
        assert!(refused.hint.is_some_and(|hint| hint.contains("Settings")));
    }

    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let mut changes = world.app.changes();
    choose(&world, free).await;
    while world.app.overview().await.expect("an overview").port_problem.is_some() {
        while !matches!(next(&mut changes).await, Change::Overview) {}
    }
    assert_eq!(world.app.overview().await.expect("an overview").base_url, format!("http://{free}"));
    world.app.get_connection_link(purpose()).await.expect("a link");
    assert_eq!(held.accept().expect_err("nobody was sent there").kind(), ErrorKind::WouldBlock);
}

async fn choose(world: &World, address: SocketAddr) {
    let preferences = json!({
        "appearance": "system", "notifications_paused": false, "start_at_login": false, "port": address.port(),
    });
    world.command("set_preferences", json!({ "preferences": preferences })).await;
}

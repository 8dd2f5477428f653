//! Responses that hold parts of files.

use std::path::Path;
use std::sync::Arc;

use barnabas_disk::{Disk, FileSlice, MemoryDisk, Open, OsDisk};
use barnabas_net::{Chunk, Outcome};
use socket2::SockRef;

use crate::node::{frame, Node};

const FILE_BYTES: usize = 5_000_000;

fn content() -> Vec<u8> {
    (0..FILE_BYTES as u64).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 7) as u8).collect()
}

/// A directory that is removed in the end.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("barnabas-net-{}-{name}", std::process::id()));
        OsDisk::new().create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = OsDisk::new().remove_dir_all(&self.0);
    }
}

/// What a client gets for several requests in flight whose responses mix bytes and parts of a file.
fn responses(disk: &dyn Disk, path: &Path) -> Vec<(i32, Vec<u8>)> {
    disk.write_atomic(path, &content()).unwrap();
    let file = disk.open(path, Open::Read).unwrap();
    let node = Node::start(move |request| {
        let slice = |position, length| Chunk::File(FileSlice { file: Arc::clone(&file), position, length });
        let seed = request.correlation_id as u64;
        Outcome::Reply(vec![
            Chunk::Bytes(request.correlation_id.to_be_bytes().to_vec()),
            slice(seed * 1000, 10 + seed as usize),
            Chunk::Bytes(vec![1; 5000]),
            slice(17, 0),
            slice(seed * 3, 2_000_000),
            slice(seed, 8 * 1024 + seed as usize - 3),
            slice(FILE_BYTES as u64 - 5, 5),
            Chunk::Bytes(b"end".to_vec()),
        ])
    });
    let mut client = node.connect();
    SockRef::from(&client.0).set_recv_buffer_size(16 * 1024).unwrap();
    client.send(&(1..6).flat_map(|id| frame(id, b"")).collect::<Vec<u8>>());
    (1..6).map(|_| client.response().unwrap()).collect()
}

#[test]
fn bytes_of_a_file_are_the_same_with_and_without_a_descriptor() {
    let directory = Directory::new("same");
    let sent = responses(&OsDisk::new(), &directory.0.join("file"));
    let copied = responses(&MemoryDisk::new(), Path::new("/file"));
    assert!(sent == copied);

    let content = content();
    for (id, body) in sent {
        let seed = id as usize;
        let expected = [
            &content[seed * 1000..][..10 + seed],
            &[1; 5000],
            &content[seed * 3..][..2_000_000],
            &content[seed..][..8 * 1024 + seed - 3],
            &content[FILE_BYTES - 5..],
            b"end",
        ];
        assert!(body == expected.concat(), "response {id}");
    }
}

#[test]
fn file_that_ends_too_early_closes_the_connection() {
    let directory = Directory::new("short");
    let disks: [(Box<dyn Disk>, std::path::PathBuf); 2] =
        [(Box::new(OsDisk::new()), directory.0.join("file")), (Box::new(MemoryDisk::new()), "/file".into())];
    for (disk, path) in disks {
        disk.write_atomic(&path, &[7; 20_000]).unwrap();
        // Small parts are read, large ones are sent from the file.
        for (position, length) in [(19_500, 501), (2_000, 18_001)] {
            let file = disk.open(&path, Open::Read).unwrap();
            let node = Node::start(move |_| {
                let slice = FileSlice { file: Arc::clone(&file), position, length };
                Outcome::Reply(vec![Chunk::File(slice)])
            });
            let mut client = node.connect();
            assert_eq!(client.ask(1, b""), None);
            node.gone.recv().unwrap();
        }
    }
}

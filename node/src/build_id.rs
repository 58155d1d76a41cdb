//! Which build this is: equal executables on several machines agree, different ones do not.

use std::{fmt, fs::File, io::Read};

use sha2::{Digest, Sha256};

/// The first 16 bytes of the SHA-256 of the executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BuildId([u8; 16]);

impl BuildId {
    /// Of the running executable.
    ///
    /// # Errors
    ///
    /// If the executable cannot be read, as when it was replaced on disk while it started.
    pub(crate) fn of_executable() -> std::io::Result<Self> {
        // The link to the running file, not its name: the name may hold another build by now.
        let path = std::path::Path::new("/proc/self/exe");
        let mut file = if path.exists() { File::open(path)? } else { File::open(std::env::current_exe()?)? };
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 1 << 16];
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                length => hash.update(&chunk[..length]),
            }
        }
        let digest = hash.finalize();
        Ok(Self(digest[..16].try_into().expect("SHA-256 has 32 bytes")))
    }
}

impl BuildId {
    /// As members tell it each other.
    pub(crate) fn as_u128(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// As another member told it.
    pub(crate) fn from_u128(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

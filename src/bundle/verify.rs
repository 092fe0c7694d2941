//! All of a bundle is read and compared with what was packed, and with who packed it.

use super::error::BundleError;
use super::read::{Bundle, bytes};
use minisign_verify::{PublicKey, Signature};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

/// Bytes between two reports of progress.
const PART: usize = 1 << 22;
/// More than any signature has.
const MOST_SIGNATURE_BYTES: u64 = 1 << 14;

impl Bundle {
    /// Reads the whole bundle: compares each entry with its digest and, given a minisign public key (the line that `minisign -G` prints), the file
    /// with its signature, which stands beside it as `<name>.minisig`. Tells `progress` how many bytes of how many are done.
    ///
    /// # Errors
    /// [`BundleError::Altered`]; [`BundleError::PublicKey`], [`BundleError::NotSigned`], [`BundleError::Signature`]
    pub fn verify(
        &self,
        public_key: Option<&str>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), BundleError> {
        let once: u64 = self.entries.iter().map(|entry| entry.listed.size).sum();
        let total = once + if public_key.is_some() { self.size() } else { 0 };
        let mut done = 0;
        let mut advance = |part: usize| {
            done += part as u64;
            progress(done, total);
        };
        if let Some(key) = public_key {
            self.verify_signature(key, &mut advance)?;
        }
        let digests = self.manifest().entries().iter().map(|entry| Some(entry.sha256.as_str()));
        for (entry, expected) in self.entries.iter().zip(std::iter::once(None).chain(digests)) {
            let mut digest = Sha256::new();
            let mut checksum = flate2::Crc::new();
            for part in bytes(&self.file, entry).chunks(PART) {
                digest.update(part);
                checksum.update(part);
                advance(part.len());
            }
            let differs = expected.is_some_and(|expected| expected != hexadecimal(digest));
            if differs || checksum.sum() != entry.listed.checksum {
                return Err(BundleError::Altered { entry: entry.listed.name.clone() });
            }
        }
        Ok(())
    }

    fn verify_signature(
        &self,
        public_key: &str,
        advance: &mut dyn FnMut(usize),
    ) -> Result<(), BundleError> {
        let key = PublicKey::from_base64(public_key.trim()).map_err(|_| BundleError::PublicKey)?;
        let path = self.signature_path();
        let wrong = |reason| BundleError::Signature { path: path.clone(), reason };
        let mut text = String::new();
        let read = File::open(&path)
            .and_then(|file| file.take(MOST_SIGNATURE_BYTES).read_to_string(&mut text));
        read.map_err(|source| match source.kind() {
            ErrorKind::NotFound => BundleError::NotSigned { path: path.clone() },
            ErrorKind::InvalidData => wrong(minisign_verify::Error::InvalidEncoding),
            _ => BundleError::Unreadable { path: path.clone(), source },
        })?;
        let signature = Signature::decode(&text).map_err(wrong)?;
        let mut verifier = key.verify_stream(&signature).map_err(wrong)?;
        for part in self.file.chunks(PART) {
            verifier.update(part);
            advance(part.len());
        }
        verifier.finalize().map_err(wrong)
    }

    /// Where the signature is looked for.
    fn signature_path(&self) -> PathBuf {
        let mut path = self.path.clone().unwrap_or_else(|| "bundle.vit".into()).into_os_string();
        path.push(".minisig");
        path.into()
    }
}

/// SHA-256.
pub(super) fn digest(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

fn hexadecimal(digest: Sha256) -> String {
    use std::fmt::Write;
    digest.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes what is written");
        text
    })
}

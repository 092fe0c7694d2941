//! The video devices that there are.

use super::choice::encoding;
use super::device::{Rates, Sizes, Video};
use crate::camera::Encoding;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;

/// Drivers of nodes that work on pictures and take none.
const NO_SENSORS: [&str; 5] = ["bcm2835-codec", "bcm2835-isp", "pispbe", "rpi-hevc-dec", "vim2m"];

/// A camera and what it offers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Device {
    /// `/dev/video0`.
    pub node: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// Where it is plugged in.
    pub bus: String,
    /// What it can be asked for.
    pub modes: Vec<DeviceMode>,
    /// Why nothing is known of it.
    pub error: Option<String>,
}

/// A format and size of a camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceMode {
    /// V4L2's four letters.
    pub format: String,
    /// How its frames are read; `None` where they are not.
    pub encoding: Option<Encoding>,
    /// Columns, of a range the most.
    pub width: u32,
    /// Rows, of a range the most.
    pub height: u32,
    /// Frames per second, descending, of a range the most.
    pub rates: Vec<f32>,
}

/// A video device that captures, or could not be opened.
pub struct Node {
    /// Its path.
    pub node: PathBuf,
    /// What it calls itself; empty where it could not be opened.
    pub name: String,
    /// Whether frames can be hoped for.
    pub is_sensor: bool,
}

/// Devices in the order of their numbers, without those that surely capture nothing.
pub fn nodes() -> Vec<Node> {
    let node = |node: PathBuf| {
        let identity = Video::open(&node).and_then(|video| video.identity());
        let Ok(identity) = identity else {
            return Some(Node { node, name: String::new(), is_sensor: true });
        };
        let is_sensor = !NO_SENSORS.contains(&identity.driver.as_str());
        identity.captures.then_some(Node { node, name: identity.card, is_sensor })
    };
    paths().into_iter().filter_map(node).collect()
}

/// The cameras of this machine, in the order of their numbers.
pub fn devices() -> Vec<Device> {
    paths().into_iter().filter_map(device).collect()
}

fn paths() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let mut numbered: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    numbered.sort();
    numbered.into_iter().map(|(_, path)| path).collect()
}

fn device(node: PathBuf) -> Option<Device> {
    let opened = Video::open(&node).and_then(|video| Ok((video.identity()?, video)));
    let (identity, video) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let error = Some(super::said(&node.display().to_string(), &error).to_string());
            return Some(Device {
                node,
                name: String::new(),
                bus: String::new(),
                modes: Vec::new(),
                error,
            });
        }
    };
    if !identity.captures && !identity.captures_planes {
        return None;
    }
    let error = (!identity.captures).then(|| {
        "gives pictures in several planes only, which this program does not read".to_owned()
    });
    let modes = video.formats().into_iter().flat_map(|fourcc| modes(&video, fourcc)).collect();
    Some(Device { node, name: identity.card, bus: identity.bus, modes, error })
}

fn modes(video: &Video, fourcc: [u8; 4]) -> Vec<DeviceMode> {
    let mode = |sizes| {
        let (Sizes::One(size) | Sizes::Range { max: size, .. }) = sizes;
        let rates = video.rates(fourcc, size);
        let mut rates: Vec<f32> =
            rates.iter().map(|&(Rates::One(rate) | Rates::Range(_, rate))| rate).collect();
        rates.sort_by(|a, b| b.total_cmp(a));
        let [width, height] = size;
        DeviceMode { format: letters(fourcc), encoding: encoding(fourcc), width, height, rates }
    };
    video.sizes(fourcc).into_iter().map(mode).collect()
}

/// V4L2's four letters; what is no letter as a full stop.
pub fn letters(fourcc: [u8; 4]) -> String {
    let letter = |byte: u8| if byte.is_ascii_graphic() { char::from(byte) } else { '.' };
    fourcc.map(letter).iter().collect()
}

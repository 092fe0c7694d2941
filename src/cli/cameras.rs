//! `vitrine cameras`: the cameras of this machine, and what each can be asked for.

use crate::camera::{Device, DeviceMode, devices};
use std::fmt::{self, Write};
use std::process::ExitCode;

/// Lists the cameras, their formats, sizes and rates
///
/// Exits with 0 if one of them can be used, with 1 if none can.
#[derive(clap::Args)]
pub struct CamerasArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(args: &CamerasArgs) -> anyhow::Result<ExitCode> {
    let devices = devices();
    if args.json {
        let mut text = serde_json::to_vec_pretty(&devices)?;
        text.push(b'\n');
        super::print(&text)?;
    } else {
        super::print(Listing(&devices).to_string().as_bytes())?;
    }
    Ok(if devices.iter().any(can_be_used) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn can_be_used(device: &Device) -> bool {
    device.error.is_none() && device.modes.iter().any(|mode| mode.encoding.is_some())
}

struct Listing<'a>(&'a [Device]);

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for device in self.0 {
            writeln!(f, "camera    {} {}", device.node.display(), device.name)?;
            if !device.bus.is_empty() {
                writeln!(f, "          at {}", device.bus)?;
            }
            let (read, others): (Vec<_>, Vec<_>) =
                device.modes.iter().partition(|mode| mode.encoding.is_some());
            for mode in read {
                writeln!(f, "          {}", Line(mode))?;
            }
            let mut formats: Vec<&str> = others.iter().map(|mode| mode.format.as_str()).collect();
            formats.dedup();
            if !formats.is_empty() {
                writeln!(f, "          not read: {}", formats.join(" "))?;
            }
            if let Some(error) = &device.error {
                writeln!(f, "          {error}")?;
            }
        }
        f.write_str(match self.0 {
            [] => "cameras   none found: plug one in\n",
            devices if devices.iter().any(can_be_used) => "",
            _ => "cameras   none can be used\n",
        })
    }
}

/// A format and size with its rates.
struct Line<'a>(&'a DeviceMode);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeviceMode { format, width, height, rates, .. } = self.0;
        write!(f, "{format} {:<10}", format!("{width}x{height}"))?;
        let mut separator = ' ';
        for rate in rates {
            write!(f, "{separator}{}", (rate * 100.0).round() / 100.0)?;
            separator = ',';
        }
        if rates.is_empty() {
            f.write_str(" unknown rate")
        } else {
            f.write_char('/').and(f.write_char('s'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Encoding;

    #[test]
    fn the_list_names_what_is_read_and_what_is_not() {
        let mode = |format: &str, encoding, rates: &[f32]| DeviceMode {
            format: format.into(),
            encoding,
            width: 1280,
            height: 720,
            rates: rates.into(),
        };
        let device = Device {
            node: "/dev/video0".into(),
            name: "Webcam".into(),
            bus: "usb-1".into(),
            modes: vec![
                mode("MJPG", Some(Encoding::Mjpeg), &[30.0, 15.0]),
                mode("H264", None, &[]),
            ],
            error: None,
        };
        let text = Listing(&[device]).to_string();
        for expected in ["/dev/video0 Webcam", "MJPG 1280x720   30,15/s", "not read: H264"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(Listing(&[]).to_string().contains("none found"));
    }
}

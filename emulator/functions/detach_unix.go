//go:build unix

package functions

import (
	"os/exec"
	"syscall"
)

// detach puts the handler in a process group of its own: a Ctrl-C on the terminal stops the host,
// and the host stops the handler.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/hookd/hookd/stacks/sock"
)

// inherited is the descriptor that a program finds its connection at: the first that
// systemd passes, and whose name goes with it.
const inherited = 3

// execWith puts a program in this one's place, with the connection as descriptor 3.
func execWith(r *sock.Restored, command []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	if err := syscall.SetNonblock(r.FD, false); err != nil {
		return err
	}
	if r.FD != inherited {
		if err := syscall.Dup3(r.FD, inherited, 0); err != nil {
			return fmt.Errorf("pass descriptor: %w", err)
		}
		if err := syscall.Close(r.FD); err != nil {
			return err
		}
	} else if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, inherited, syscall.F_SETFD, 0); errno != 0 {
		return errno
	}
	env := make([]string, 0, len(os.Environ())+3)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LISTEN_") {
			env = append(env, v)
		}
	}
	env = append(env, "LISTEN_FDS=1", "LISTEN_PID="+strconv.Itoa(os.Getpid()), "LISTEN_FDNAMES=connection")
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, command, env))
}

// runWith runs a program beside this one, with the connection as descriptor 3, until it
// ends.
func runWith(r *sock.Restored, command []string) error {
	if err := syscall.SetNonblock(r.FD, false); err != nil {
		return err
	}
	f := os.NewFile(uintptr(r.FD), "connection")
	cmd := exec.Command(command[0], command[1:]...)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=connection")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Start()
	_ = f.Close()
	if err != nil {
		return err
	}
	return cmd.Wait()
}

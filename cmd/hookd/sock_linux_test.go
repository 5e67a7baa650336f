package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/spec/testbed"
)

// sockPrograms are what the scripts about connections run beside hookd.
func sockPrograms() map[string]func() {
	return map[string]func(){
		"hold":     func() { quit(hold(os.Args[1])) },
		"echo":     func() { quit(echo()) },
		"service":  func() { quit(service(os.Args[1:])) },
		"download": func() { quit(download(os.Args[1:])) },
		"take":     func() { quit(take(os.Args[1])) },
		"talk":     func() { quit(talk(os.Args[1], os.Args[2:])) },
		"count":    func() { quit(counts(os.Args[1], os.Args[2])) },
		"linger":   func() { quit(linger(os.Args[1])) },
		"desert":   func() { quit(desert(os.Args[1])) },
		"crowd":    func() { quit(crowd(os.Args[1], os.Args[2], os.Args[3])) },
	}
}

// workTime is how long these programs wait for anything: a busy machine takes its time.
const workTime = 3 * time.Minute

func quit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// hold accepts connections and never reads from them.
func hold(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(workTime)); err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("nobody stopped it: %w", err)
		}
		defer c.Close() // when it is killed
	}
}

// crowd connects many times, says something on each connection, and wants it echoed: by
// whoever has the connection then, or by itself, at a second address, where that one asks.
func crowd(address, number, echo string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", echo)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = answerOn(c) }()
		}
	}()
	failed := make(chan error, n)
	for i := range n {
		go func() { failed <- asks(address, fmt.Sprintf("hello %d", i)) }()
	}
	for range n {
		err = errors.Join(err, <-failed)
	}
	fmt.Printf("answered %d\n", n)
	return err
}

// asks says a line and wants its echo.
func asks(address, line string) error {
	c, err := dialSoon("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(workTime))
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && answer != "echo "+line+"\n" {
		err = fmt.Errorf("%q is answered by %q", line, answer)
	}
	return err
}

// echo answers each line on the connection that it inherited.
func echo() error {
	if os.Getenv("LISTEN_FDS") != "1" || os.Getenv("LISTEN_PID") != fmt.Sprint(os.Getpid()) {
		return fmt.Errorf("environment: LISTEN_FDS=%s LISTEN_PID=%s", os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_PID"))
	}
	return answer(os.NewFile(3, "connection"))
}

// answer echoes lines.
func answer(f *os.File) error {
	c, err := net.FileConn(f)
	if err != nil {
		return err
	}
	_ = f.Close()
	return answerOn(c)
}

func answerOn(c net.Conn) error {
	defer c.Close()
	s := bufio.NewScanner(c)
	for s.Scan() {
		if _, err := fmt.Fprintf(c, "echo %s\n", s.Text()); err != nil {
			return err
		}
	}
	return s.Err()
}

// A service that answers "get N" with the N-th part of a file that both ends know, and
// its client, which wants all of it.
const (
	parts    = 400
	partSize = 64 << 10
)

func part(n int) []byte {
	b := make([]byte, partSize)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(b)
	return b
}

// service serves on an address, or goes on with the connection that it inherited. With a
// number it hangs after so many answers on a connection.
func service(args []string) error {
	answers := -1
	if len(args) == 0 {
		c, err := net.FileConn(os.NewFile(3, "connection"))
		if err != nil {
			return err
		}
		return serveParts(c, answers)
	}
	if len(args) > 1 {
		var err error
		if answers, err = strconv.Atoi(args[1]); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() { _ = serveParts(c, answers) }()
	}
}

// serveParts takes a request off the connection only when its answer is written, all
// of which the socket's buffer takes: wherever it is stopped, the next who has the
// connection can go on.
func serveParts(c net.Conn, answers int) error {
	defer c.Close()
	if err := c.(*net.TCPConn).SetWriteBuffer(1 << 20); err != nil {
		return err
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	buf := make([]byte, 64)
	for {
		if answers == 0 {
			select {} // hangs
		}
		n, failed := 0, error(nil)
		err := raw.Read(func(fd uintptr) bool {
			n, _, failed = syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			return !errors.Is(failed, syscall.EAGAIN)
		})
		if err = errors.Join(err, failed); err != nil || n <= 0 {
			return err
		}
		line, _, whole := strings.Cut(string(buf[:n]), "\n")
		if !whole {
			continue
		}
		if n, err = strconv.Atoi(strings.TrimPrefix(line, "get ")); err != nil {
			return err
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(n)), part(n)...)); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, buf[:len(line)+1]); err != nil {
			return err
		}
		answers--
	}
}

// download asks for all parts, one after the other; with the name of a file, for the one in the
// middle again and again until there is that file.
func download(args []string) error {
	c, err := dialSoon("tcp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(workTime))
	got, want := sha256.New(), sha256.New()
	buf := make([]byte, 4+partSize)
	for n := range parts {
		for asked := false; !asked || n == parts/2 && len(args) > 1 && !exists(args[1]); asked = true {
			if err := getPart(c, n, buf); err != nil {
				return err
			}
		}
		got.Write(buf[4:])
		want.Write(part(n))
		time.Sleep(time.Millisecond)
	}
	if string(got.Sum(nil)) != string(want.Sum(nil)) {
		return errors.New("SHA-256 differs")
	}
	fmt.Println("whole")
	return nil
}

// dialSoon connects to who may be about to listen.
func dialSoon(network, address string) (c net.Conn, err error) {
	for range 3000 {
		if c, err = net.Dial(network, address); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return c, err
}

// getPart asks for a part, and reads up to its answer: one may come twice.
func getPart(c net.Conn, n int, buf []byte) error {
	if _, err := fmt.Fprintf(c, "get %d\n", n); err != nil {
		return err
	}
	for {
		if _, err := io.ReadFull(c, buf); err != nil {
			return fmt.Errorf("part %d: %w", n, err)
		}
		if int(binary.BigEndian.Uint32(buf)) >= n {
			return nil
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// take asks for a connection at a Unix socket and answers each line on it.
func take(path string) error {
	c, err := dialSoon("unix", path)
	if err != nil {
		return err
	}
	buf, oob := make([]byte, 64), make([]byte, 64)
	_, n, _, _, err := c.(*net.UnixConn).ReadMsgUnix(buf, oob)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("no descriptor: %w", err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	_ = c.Close()
	return answer(os.NewFile(uintptr(fds[0]), "connection"))
}

// talk connects, sends a line, and prints the answer; and so on for each line.
func talk(address string, lines []string) error {
	c, err := dialSoon("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(workTime))
	r := bufio.NewReader(c)
	for _, line := range lines {
		if _, err := io.WriteString(c, line+"\n"); err != nil {
			return err
		}
		answer, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		fmt.Print(answer)
	}
	return nil
}

// counts sends lines in two pieces each, until there is a file of that name and at least 50, and
// wants each back with the number that it is on the connection; between them an answer of
// bigAnswer bytes, which it reads slowly.
func counts(address, enough string) error {
	c, err := dialSoon("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(workTime))
	r := bufio.NewReader(c)
	for i := 1; i <= 50 || !exists(enough); i++ {
		for _, piece := range []string{"line ", fmt.Sprintf("%d\n", i)} {
			if _, err := io.WriteString(c, piece); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
		}
		answer, err := r.ReadString('\n')
		if err != nil || answer != fmt.Sprintf("%d line %d\n", i, i) {
			return fmt.Errorf("answer %d is %q, %w", i, answer, err)
		}
		if i%40 == 0 {
			if err := readSlowly(c, r); err != nil {
				return err
			}
			i++
		}
	}
	fmt.Println("counted")
	return nil
}

// linger asks an HTTP server once and keeps the connection, until the server ends it in
// order.
func linger(address string) error {
	c, err := dialSoon("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(workTime))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err == nil {
		fmt.Printf("drained %.8s\n", answer)
	}
	return err
}

// desert comes to take over from a daemon, and is gone when it has half of it.
func desert(daemon string) error {
	l, err := control.Listen("./deserter")
	if err != nil {
		return err
	}
	defer l.Close()
	ask := control.NewClient(daemon)
	defer ask.Close()
	if err := ask.Do(context.Background(), "POST", "/handover", handover{"./deserter"}, &struct{}{}); err != nil {
		return err
	}
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	for _, what := range []string{passListen, passConn} {
		for {
			p, err := hear(c.(*net.UnixConn))
			if err != nil {
				return err
			}
			if p.What == what {
				break
			}
		}
		if what == passListen {
			if err := (&parcel{What: passReady}).say(c.(*net.UnixConn)); err != nil {
				return err
			}
		}
	}
	fmt.Println("deserted")
	return nil
}

const bigAnswer = 6_000_000

func readSlowly(c net.Conn, r io.Reader) error {
	if _, err := io.WriteString(c, "big\n"); err != nil {
		return err
	}
	part, want := make([]byte, 60_000), strings.Repeat("0123456789", 6000)
	for got := 0; got < bigAnswer; got += len(part) {
		if _, err := io.ReadFull(r, part); err != nil || string(part) != want {
			return fmt.Errorf("after %d of %d bytes: %w", got, bigAnswer, err)
		}
		time.Sleep(4 * time.Millisecond)
	}
	return nil
}

// canUnshare reports whether scripts can have network namespaces of their own.
func canUnshare() bool {
	return exec.Command("unshare", "-rn", "true").Run() == nil
}

// canRunCRIU reports whether CRIU is to be compared with, and works with this kernel: that
// of a distribution often does not.
func canRunCRIU() bool {
	return testbed.Proving() && os.Geteuid() == 0 && exec.Command(cmp.Or(os.Getenv("HOOKD_CRIU_PROGRAM"), "criu"), "check").Run() == nil
}

func TestSockUsage(t *testing.T) {
	for _, args := range []string{
		"checkpoint x", "checkpoint x --pid 1", "checkpoint x --pid 1 --fd 3 --local 1.2.3.4:5", "checkpoint x --local 1.2.3.4:5",
		"checkpoint x --local a --remote b", "restore x", "restore x --proxy a --serve-fd b", "restore x --exec", "restore x y --proxy a",
		"move", "move --to a --from b", "move --from a", "import a b c", "import a 1", "export a b c", "ls host", "keep x",
	} {
		if code := run(append([]string{"sock"}, strings.Fields(args)...), strings.NewReader(""), io.Discard, io.Discard); code != exitUsage {
			t.Errorf("sock %s: exit %d", args, code)
		}
	}
}

package miniotest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// inPath is exec.LookPath without the working directory.
func inPath(name string) string {
	path, err := exec.LookPath(name)
	if err != nil || !filepath.IsAbs(path) {
		return ""
	}
	return path
}

// guard runs a command until standard input ends. That is a pipe from the test
// process, so the kernel ends it whatever happens to the test: a panic, a
// timeout, a kill. It is the leader of a process group.
const guard = `
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
(cat <&3 >/dev/null; kill -KILL $server 2>/dev/null) &
watch=$!
exec 3<&-
wait $server
kill -KILL $watch
`

// process is a guarded command.
type process struct {
	cmd   *exec.Cmd
	alive *os.File      // held open as long as the command shall run
	ended chan struct{} // closed when it has ended
	once  sync.Once
}

func launch(logFile string, env []string, command ...string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	stdin, alive, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	cmd := exec.Command("sh", append([]string{"-c", guard, "minio-guard"}, command...)...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, stdin, log, log
	ownGroup(cmd)
	err = cmd.Start()
	if closeErr := errors.Join(stdin.Close(), log.Close()); err != nil || closeErr != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", command[0], err), closeErr, alive.Close())
	}
	p := &process{cmd: cmd, alive: alive, ended: make(chan struct{})}
	go func() {
		// It is ended by a signal, so there is always an error, and it says nothing.
		_ = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) stop() {
	p.once.Do(func() {
		endGroup(p.cmd)
		_ = p.alive.Close() // a pipe that no one reads any more
	})
	<-p.ended
}

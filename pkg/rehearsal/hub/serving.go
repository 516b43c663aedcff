package hub

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// grace is how long requests in flight may take to end. Only a handler that is stuck
// takes that long.
const grace = 5 * time.Second

// serving is an HTTP server with the connections that it has. http.Server.Shutdown
// spares a connection that has not sent anything yet for five seconds, and clients
// open such connections ahead of their need; so they are closed here.
type serving struct {
	http   *http.Server
	done   chan error
	cancel context.CancelFunc // ends the contexts of all requests
	flying sync.WaitGroup     // requests

	mu      sync.Mutex
	closing bool
	waiting map[net.Conn]bool // connections without a request
}

func serve(l net.Listener, h http.Handler) *serving {
	ctx, cancel := context.WithCancel(context.Background())
	v := &serving{done: make(chan error, 1), cancel: cancel, waiting: map[net.Conn]bool{}}
	v.http = &http.Server{
		ReadHeaderTimeout: 30 * time.Second, ConnState: v.changed, BaseContext: func(net.Listener) context.Context { return ctx },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v.flying.Add(1)
			defer v.flying.Done()
			h.ServeHTTP(w, r)
		}),
	}
	go func() { v.done <- v.http.Serve(l) }()
	return v
}

// changed follows the states of connections.
func (v *serving) changed(c net.Conn, state http.ConnState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	idle := state == http.StateNew || state == http.StateIdle
	switch {
	case idle && v.closing:
		_ = c.Close() // no one waits for an answer on it
	case idle:
		v.waiting[c] = true
	default:
		delete(v.waiting, c)
	}
}

func (v *serving) close() error {
	v.mu.Lock()
	v.closing = true
	for c := range v.waiting {
		_ = c.Close() // as above
	}
	v.mu.Unlock()
	v.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := v.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = v.http.Close()
	}
	if e := <-v.done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, v.landed())
}

// landed waits for the handlers: Shutdown does not know those that have taken their
// connection over, and Close does not wait for any.
func (v *serving) landed() error {
	all := make(chan struct{})
	go func() {
		v.flying.Wait()
		close(all)
	}()
	select {
	case <-all:
		return nil
	case <-time.After(grace):
		return errors.New("a request does not end")
	}
}

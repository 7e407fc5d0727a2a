package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/worker"
)

// child is the worker's process as the driver sees it: orders go in, one at a time, answers come out. It is for one
// goroutine at a time.
type child struct {
	cmd     *exec.Cmd
	input   io.WriteCloser
	orders  *json.Encoder
	answers chan worker.Answer // closed when the process's output has ended
	ended   chan error         // how the process ended, and then closed

	password string // what the client logs in with
}

// errStuck says that the worker did not do in time what it always does in time: the client under test hangs, or has
// ended the process.
var errStuck = errors.New("the worker does not answer")

// startChild starts the worker: this program again.
func startChild(self string) (*child, error) {
	cmd := exec.Command(self, workerFlag)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = endWithParent()
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{
		cmd: cmd, input: input, orders: json.NewEncoder(input), password: clientPassword,
		answers: make(chan worker.Answer, 1), ended: make(chan error, 1),
	}
	// Ends with the process's output; stop ends the process and waits.
	go func() {
		lines := json.NewDecoder(output)
		for {
			var answer worker.Answer
			if err := lines.Decode(&answer); err != nil {
				break
			}
			c.answers <- answer
		}
		close(c.answers)
		c.ended <- cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// order gives one order and waits for its answer, or limit.
func (c *child) order(ctx context.Context, limit time.Duration, order worker.Order) (worker.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := c.orders.Encode(order); err != nil {
		return worker.Answer{}, fmt.Errorf("%w: %s: %w", errStuck, order.Do, err)
	}
	select {
	case answer, ok := <-c.answers:
		switch {
		case !ok:
			return worker.Answer{}, fmt.Errorf("%w: %s: its process has ended", errStuck, order.Do)
		case answer.Did != order.Do:
			return worker.Answer{}, fmt.Errorf("%s was answered as %s", order.Do, answer.Did)
		case answer.Error != "":
			return worker.Answer{}, fmt.Errorf("worker: %s: %s", order.Do, answer.Error)
		}
		return answer, nil
	case <-ctx.Done():
		return worker.Answer{}, fmt.Errorf("%w: %s, after %v", errStuck, order.Do, limit)
	}
}

// stop ends the process, whatever it does, and waits for it.
func (c *child) stop() error {
	_ = c.input.Close() // by which it ends
	_ = c.Thaw()
	select {
	case err := <-c.ended:
		return err
	case <-time.After(stopTime):
	}
	_ = c.cmd.Process.Kill() // fails only where it has just ended
	err := fmt.Errorf("%w: it had to be killed", errStuck)
	for answer := range c.answers { // which would hold up the reader
		err = fmt.Errorf("%w; it had answered %s", err, answer.Did)
	}
	return errors.Join(err, <-c.ended)
}

// stopTime is how long the worker may take to end by itself.
const stopTime = 5 * time.Second

// Freeze stops the process where it is.
func (c *child) Freeze() error { return c.cmd.Process.Signal(signalFreeze) }

// Thaw lets it go on.
func (c *child) Thaw() error { return c.cmd.Process.Signal(signalThaw) }

// User is who the client logs in as.
func (c *child) User() string { return clientUser }

// Password is what it logs in with.
func (c *child) Password() string { return c.password }

// Give makes it log in with another password from now on.
func (c *child) Give(ctx context.Context, password string) error {
	_, err := c.order(ctx, orderTime, worker.Order{Do: worker.SetLogin, Login: &worker.Login{Username: clientUser, Password: password}})
	if err == nil {
		c.password = password
	}
	return err
}

// orderTime bounds an order that needs no cluster.
const orderTime = 10 * time.Second

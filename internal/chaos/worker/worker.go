package worker

import (
	"context"
	"io"
)

// Main carries out the orders that in holds and writes an Answer to each to out, until in ends or ctx does. The error
// says why in or out could not be used; a failed order is in its Answer.
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	return nil
}

// Package keyslototel tells OpenTelemetry what a keyslot client does: a span and a measurement for each call of the program,
// and metrics of nodes and topology, by the semantic conventions for database clients. Its README lists every name.
//
//	telemetry, err := keyslototel.Instrument(&opts, keyslototel.Config{})
//	client, err := keyslot.New(ctx, opts)
//	err = telemetry.Observe(client)
//	defer telemetry.Stop()
//
// A span is made when its call has ended, with the times of the call and the span in the caller's context as its
// parent. It covers retries and redirects, which are events of it, and the commands of a pipeline or a transaction
// together. Arguments and keys are never recorded.
//
// Of OpenTelemetry this needs the API only; which SDK and exporter there are is the program's choice.
package keyslototel

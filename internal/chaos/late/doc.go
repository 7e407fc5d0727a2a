// Package late looks for late executions: writes that a client has given up while the network lost its packets, and
// that run once the network is whole again, perhaps behind what the client has written since on another connection.
//
// The kernel does that for whoever closes a connection in the usual way: it goes on sending what was written. Only
// where packets are lost can it be seen, so Probe runs a server and a client in network namespaces with a link between
// them that it cuts. That takes Linux and root; elsewhere its Result says why it was skipped.
package late

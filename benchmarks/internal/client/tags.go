//go:build !glide

package client

// makersOfTags are the clients that only a build tag adds; see glide.go.
func makersOfTags() []maker { return nil }

// Command lambda is a function on AWS Lambda that writes to an ElastiCache cluster and reads what it has written.
// README.md tells how it is built and deployed, and how it was tested without AWS.
package main

import (
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	// Once for each environment: every invocation that it serves uses the same client, and so the same connections.
	f, err := newFunction(os.Getenv)
	if err != nil {
		log.Fatal(err)
	}
	log.Print(f.budget)
	// SIGTERM comes to functions with an extension only, which this option registers. Nothing depends on it: without it
	// the environment is frozen for good, and the servers find out by themselves.
	lambda.StartWithOptions(f.handle, lambda.WithEnableSIGTERM(func() {
		f.close()
		os.Exit(0)
	}))
}

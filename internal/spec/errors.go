package spec

import "fmt"

// KeyError says that the arguments of a call do not tell which of them are keys.
type KeyError struct {
	Command string // such as "EVAL"
	Problem string // the rest of the sentence, such as "has a negative number of keys"
}

func (e *KeyError) Error() string { return e.Command + " " + e.Problem }

// ArityError says that a call has too few or too many arguments. The numbers do not count the words of the name.
type ArityError struct {
	Command string
	Want    int
	AtLeast bool // more than Want would do as well
	Got     int
}

func (e *ArityError) Error() string {
	atLeast, plural := "", "s"
	if e.AtLeast {
		atLeast = "at least "
	}
	if e.Want == 1 {
		plural = ""
	}
	return fmt.Sprintf("%s takes %s%d argument%s, got %d", e.Command, atLeast, e.Want, plural, e.Got)
}

// CheckArity returns an *ArityError if the command cannot have n arguments, the words of its name counted.
func (c *Command) CheckArity(n int) error {
	if c.fits(n) {
		return nil
	}
	return &ArityError{
		Command: c.Name,
		Want:    max(c.Arity, -c.Arity) - c.Words,
		AtLeast: c.Arity < 0,
		Got:     n - c.Words,
	}
}

func (c *Command) fits(n int) bool { return n == c.Arity || c.Arity < 0 && n >= -c.Arity }

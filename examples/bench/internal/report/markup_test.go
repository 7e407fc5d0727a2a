package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
	"github.com/keyslot-go/keyslot/examples/bench/internal/report"
)

// element is one of a page or picture.
type element struct {
	name     string
	attrs    map[string]string
	children []*element
	text     string // of everything in it
	began    int    // of text in that of the document
}

// parse reads a document by the strict rules of XML: every element is closed, every attribute quoted, no character
// forbidden. What a text could break out of would fail here or show as an element.
func parse(t testing.TB, document string) *element {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(document))
	root := &element{}
	open := []*element{root}
	var text strings.Builder
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			require.Len(t, open, 1)
			root.text = text.String()
			return root
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attrs: map[string]string{}, began: text.Len()}
			for _, attr := range token.Attr {
				e.attrs[attr.Name.Local] = attr.Value
			}
			top := open[len(open)-1]
			top.children = append(top.children, e)
			open = append(open, e)
		case xml.EndElement:
			top := open[len(open)-1]
			top.text = text.String()[top.began:]
			open = open[:len(open)-1]
		case xml.CharData:
			text.Write(token)
		}
	}
}

// all returns the elements of a name, and of a class if it is not empty.
func (e *element) all(name, class string) []*element {
	var found []*element
	for _, child := range e.children {
		if child.name == name && (class == "" || strings.Contains(" "+child.attrs["class"]+" ", " "+class+" ")) {
			found = append(found, child)
		}
		found = append(found, child.all(name, class)...)
	}
	return found
}

func page(t testing.TB, r record.Record) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Write(&b, r))
	return b.String()
}

func picture(t testing.TB, r record.Record) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Chart(&b, r))
	return b.String()
}

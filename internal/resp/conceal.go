package resp

import (
	"bytes"
	"slices"
	"strings"
)

// Arguments are the words of a command, its name first; a *Request is one.
type Arguments interface {
	Len() int
	At(i int) []byte
}

// Words are the words of a command as strings.
type Words []string

// Len returns how many words there are.
func (w Words) Len() int { return len(w) }

// At returns a copy of the word at i.
func (w Words) At(i int) []byte { return []byte(w[i]) }

const (
	// longWord is the length from which an argument is recognised without quotes: few words of an error text are as long.
	longWord = 8
	// shortPiece is the length below which a piece of an argument tells nothing, and may be a word by chance.
	shortPiece = 3
	// maxPieces bounds the quoted pieces that are looked for in the arguments; a server's own text has two or three.
	maxPieces = 8
	// maxConcealing bounds the work: so many bytes of text times arguments are compared.
	maxConcealing = 1 << 24
)

// ownWords are the long words of errors that servers have for any argument (the texts of redis 7.0.15 and valkey
// 8.0.1). A key that is called so is told by none of them, and programs look for such texts.
const ownWords = " " +
	"argument arguments authenticated authentication blocking channels checksum commands compiling " +
	"configuration configured connected consumer currently database decrement destination different disabled " +
	"discarded duplicate executed execution existing expected failover following function hyperloglog " +
	"increment infinity instance integers internal latitude longitude matching multiple negative operation " +
	"otherwise overflow password permissions permitted positive previous progress protected protocol readonly " +
	"rehashing replicas replication requested required shutdown snapshots specified subcommand supported " +
	"transaction unblocked unsupported username-password "

// wordsOfLua are what a script cannot be written without. A server quotes them where one does not compile, and
// they are no data.
const wordsOfLua = " and break do else elseif end false for function goto if in local nil not or repeat return then true until while ... "

// compiling begins the text of a server that quotes words of a script.
const compiling = "Error compiling "

// quotedOwn is what servers quote of their own accord, in what they say to any write: OOM.
const quotedOwn = "maxmemory"

// Conceal returns the error text that a server answered a command with, and a question mark in place of each argument
// that it quotes: errors are logged, arguments are secrets. The name of the command, and the code in front of the text,
// stay, and so do the words that such texts have anyway. What is found is an argument or a piece of one between quotes
// (', ` or "), and a long argument anywhere. Of a script, or a library of functions, its reserved words and its name
// are told: they are no data.
//
//	NOGROUP No such key 'orders' or consumer group 'app'  ->  NOGROUP No such key '?' or consumer group '?'
func Conceal(text string, args Arguments) string {
	if args.Len() < 2 {
		return text
	}
	code, rest := cutCode(text)
	if limit := maxConcealing / args.Len(); len(rest) > limit {
		rest = rest[:limit] + "..."
	}
	told := ""
	if strings.HasPrefix(rest, compiling) {
		told = wordsOfLua
	}
	for i := 1; i < args.Len(); i++ {
		if arg := args.At(i); len(arg) > 0 && len(arg) <= len(rest) && !isName(arg, args) && !isOneOf(told, string(arg)) {
			rest = concealOne(rest, onOneLine(arg))
		}
	}
	return code + concealPieces(rest, args, told)
}

// cutCode cuts a text behind its code and the space that follows. Modules have errors without a code, which may begin
// with an argument.
func cutCode(text string) (code, rest string) {
	end := strings.IndexByte(text, ' ') + 1
	if end == 0 {
		end = len(text)
	}
	if strings.Trim(text[:end], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ") != "" {
		return "", text
	}
	return text[:end], text[end:]
}

func isOwn(word string) bool { return isOneOf(ownWords, strings.ToLower(word)) }

// isOneOf reports whether a word is in a list, in which each stands between spaces.
func isOneOf(list, word string) bool {
	return !strings.Contains(word, " ") && strings.Contains(list, " "+word+" ")
}

// isName reports whether a word is the command's name, which is no secret.
func isName(word []byte, args Arguments) bool { return bytes.EqualFold(word, args.At(0)) }

// onOneLine returns an argument as a server quotes it: an error text has no line breaks.
func onOneLine(arg []byte) string { return lineBreaks.Replace(string(arg)) }

var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

func concealOne(text, arg string) string {
	if !strings.Contains(text, arg) {
		return text
	}
	if arg == quotedOwn {
		return text
	}
	for _, quote := range []string{"'", "`", `"`} {
		text = strings.ReplaceAll(text, quote+arg+quote, quote+"?"+quote)
	}
	if len(arg) < longWord || isOwn(arg) {
		return text
	}
	return strings.ReplaceAll(text, arg, "?")
}

// concealPieces conceals what is quoted of an argument in part: it was cut short, or is a word of a script that
// is not to be told.
func concealPieces(text string, args Arguments, told string) string {
	var shown strings.Builder
	for pieces := 0; pieces < maxPieces; {
		open := strings.IndexAny(text, "'`\"")
		if open < 0 {
			break
		}
		before, quote := text[:open], text[open]
		shown.WriteString(text[:open+1])
		text = text[open+1:]
		end := strings.IndexByte(text, quote)
		if end < shortPiece { // the last quote, or nothing worth hiding; an apostrophe may be either
			continue
		}
		pieces++
		piece := []byte(text[:end])
		isTold := isOneOf(told, text[:end]) || before == "Library " && isLibrary(piece, args)
		if !isTold && isPiece(piece, args) {
			shown.WriteString("?" + string(quote))
			text = text[end+1:]
		}
	}
	return shown.String() + text
}

// isLibrary reports whether FUNCTION LOAD was sent a library of that name, which its first line gives: "#!lua name=mylib".
func isLibrary(name []byte, args Arguments) bool {
	if !bytes.EqualFold(args.At(0), []byte("FUNCTION")) {
		return false
	}
	first, _, _ := bytes.Cut(args.At(args.Len()-1), []byte("\n"))
	return slices.ContainsFunc(bytes.Fields(first), func(word []byte) bool { return string(word) == "name="+string(name) })
}

func isPiece(piece []byte, args Arguments) bool {
	if isName(piece, args) || string(piece) == quotedOwn {
		return false
	}
	for i := 1; i < args.Len(); i++ {
		if arg := args.At(i); len(arg) >= len(piece) && bytes.Contains(arg, piece) {
			return true
		}
	}
	return false
}

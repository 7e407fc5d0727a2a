package keyslottest_test

// misuseSituations are about arguments that a server refuses, and about the order in which it looks at them.
var misuseSituations = []situation{
	{"options of SET and GETEX", `
		source: SET {b}1 x KEEPTTL EX 5
		source: SET {b}1 x EX 5 KEEPTTL
		source: SET {b}1 x NX XX
		source: SET {b}1 x XX NX
		source: SET {b}1 x EX 5 PX 5
		source: SET {b}1 x EX
		source: SET {b}1 x EX x
		source: SET {b}1 x EX x NOSUCH
		source: SET {b}1 x EX 0 NOSUCH
		source: SET {b}1 x EX 0
		source: SET {b}1 x PXAT -1
		source: SET {b}1 x PERSIST
		source: EXISTS {b}1
		source: SET {b}1 x NX GET
		source: SET {b}1 y GET GET
		source: SET {b}1 y EX 5 EX 100
		source: SET {b}1 y KEEPTTL
		source: TTL {b}1
		source: GETEX {b}1 PERSIST EX 5
		source: GETEX {b}1 EX 5 PERSIST
		source: GETEX {b}1 EX 5 PX 5
		source: GETEX {b}1 EX
		source: GETEX {b}1 EX x
		source: GETEX {b}1 EX 0
		source: GETEX {b}1 EXAT -1
		source: GETEX {b}1 KEEPTTL
		source: GETEX {b}1 NX
		source: TTL {b}1
		source: GETEX {b}1 EX 5 EX 200
		source: TTL {b}1
		source: GETEX {b}none EX 0
		source: GETEX {b}none EX x
		source: GETEX {b}none NOSUCH
		source: RPUSH {b}l x
		source: GETEX {b}l EX 5
		source: TTL {b}l`},
}

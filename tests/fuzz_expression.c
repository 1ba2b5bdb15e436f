/*
 * Any bytes as the program that the opener has compiled from an expression, and
 * a frame for it. The first byte says how long the program is, in steps; what is
 * taken runs to its end on the frame, whatever it says.
 */
#include <assert.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../tap/filter_expression.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { STEP_BYTES = 8 };

/* Such a program may run for ever: expressions with "protochain" do not. */
static bool jumps_back(const struct bpf_insn *code, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code[i].code == (BPF_JMP | BPF_JA) &&
		    (int32_t)code[i].k < 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct filter_expression *e, *again;
	size_t code_bytes, again_bytes;
	const void *code;

	if (len < 1 || len - 1 < (size_t)bytes[0] * STEP_BYTES)
		return 0;
	code_bytes = (size_t)bytes[0] * STEP_BYTES;
	e = filter_expression_import(bytes + 1, code_bytes);
	if (!e)
		return 0;
	code = filter_expression_code(e, &again_bytes);
	if (!jumps_back(code, bytes[0]))
		(void)filter_expression_matches(e, bytes + 1 + code_bytes,
						(uint32_t)(len - 1 - code_bytes));
	assert(again_bytes == code_bytes && !memcmp(code, bytes + 1, code_bytes));
	again = filter_expression_import(code, again_bytes);
	assert(again);
	filter_expression_free(again);
	filter_expression_free(e);
	return 0;
}

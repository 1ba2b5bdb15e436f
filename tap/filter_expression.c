#include "filter_expression.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct filter_expression {
	struct bpf_program program;
};

enum { LONGEST_FRAME = 1 << 18 };

/* Direction and the like are found where only a live capture has something: at
 * places below 0 (linux/filter.h, SKF_AD_OFF). */
static bool needs_live_capture(const struct bpf_program *program)
{
	for (unsigned i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *insn = &program->bf_insns[i];

		if (BPF_CLASS(insn->code) == BPF_LD &&
		    BPF_MODE(insn->code) == BPF_ABS && (int32_t)insn->k < 0)
			return true;
	}
	return false;
}

struct filter_expression *filter_expression_new(const char *text, char *why,
						size_t why_bytes)
{
	struct filter_expression *e = calloc(1, sizeof(*e));
	pcap_t *ethernet = pcap_open_dead(DLT_EN10MB, LONGEST_FRAME);

	if (!e || !ethernet) {
		snprintf(why, why_bytes, "out of memory");
	} else if (pcap_compile(ethernet, &e->program, text, 1,
				PCAP_NETMASK_UNKNOWN)) {
		snprintf(why, why_bytes, "%s", pcap_geterr(ethernet));
	} else if (e->program.bf_len > FILTER_EXPRESSION_STEPS) {
		snprintf(why, why_bytes,
			 "becomes a program of %u steps, at most %d are taken: say it in fewer words",
			 e->program.bf_len, FILTER_EXPRESSION_STEPS);
		pcap_freecode(&e->program);
	} else if (needs_live_capture(&e->program)) {
		snprintf(why, why_bytes,
			 "asks for what a frame does not tell (inbound, outbound, ifindex): leave it out");
		pcap_freecode(&e->program);
	} else {
		pcap_close(ethernet);
		return e;
	}
	if (ethernet)
		pcap_close(ethernet);
	free(e);
	return NULL;
}

void filter_expression_free(struct filter_expression *e)
{
	if (!e)
		return;
	pcap_freecode(&e->program);
	free(e);
}

const void *filter_expression_code(const struct filter_expression *e,
				   size_t *bytes)
{
	*bytes = e->program.bf_len * sizeof(*e->program.bf_insns);
	return e->program.bf_insns;
}

/* Whether bpf_filter(3) knows what to do: at all others it ends the process. */
static bool is_known(uint16_t code)
{
	static const uint16_t known[] = {
		BPF_RET | BPF_K, BPF_RET | BPF_A,
		BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS,
		BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_W | BPF_IND,
		BPF_LD | BPF_H | BPF_IND, BPF_LD | BPF_B | BPF_IND,
		BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN,
		BPF_LDX | BPF_MSH | BPF_B, BPF_LD | BPF_IMM,
		BPF_LDX | BPF_IMM, BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM,
		BPF_ST, BPF_STX, BPF_ALU | BPF_NEG,
		BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA,
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (code == known[i])
			return true;
	if (BPF_CLASS(code) == BPF_ALU)
		return code <= 0xff && BPF_OP(code) <= BPF_XOR &&
		       BPF_OP(code) != BPF_NEG;
	if (BPF_CLASS(code) == BPF_JMP)
		return code <= 0xff && BPF_OP(code) <= BPF_JSET &&
		       code != (BPF_JMP | BPF_JA | BPF_X);
	return false;
}

/*
 * It may have gone through other hands: what libpcap runs, it does not check.
 * Jumps back are its own: "protochain" has them, and ends.
 */
static bool is_safe(const struct bpf_program *program)
{
	for (unsigned i = 0; i < program->bf_len; i++)
		if (!is_known(program->bf_insns[i].code))
			return false;
	return bpf_validate(program->bf_insns, (int)program->bf_len) &&
	       !needs_live_capture(program);
}

struct filter_expression *filter_expression_import(const void *code,
						   size_t bytes)
{
	struct filter_expression *e = calloc(1, sizeof(*e));
	size_t count = bytes / sizeof(struct bpf_insn);

	if (!e || !count || count * sizeof(struct bpf_insn) != bytes ||
	    count > FILTER_EXPRESSION_STEPS)
		goto fail;
	e->program.bf_len = (unsigned)count;
	e->program.bf_insns = malloc(bytes);
	if (!e->program.bf_insns)
		goto fail;
	memcpy(e->program.bf_insns, code, bytes);
	if (is_safe(&e->program))
		return e;
	pcap_freecode(&e->program);
fail:
	free(e);
	return NULL;
}

bool filter_expression_matches(const struct filter_expression *e,
			       const uint8_t *frame, uint32_t bytes)
{
	struct pcap_pkthdr header = { .caplen = bytes, .len = bytes };

	return pcap_offline_filter(&e->program, &header, frame);
}

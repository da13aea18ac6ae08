/* SPDX-License-Identifier: MIT */
/*
 * bpf.c - the classic machine, of which seccomp has a part, with the arguments unknown
 *
 * Jumps go forward only, so every program ends. What the kernel would refuse as a filter
 * is not told apart from one that kills: it isn't set either way.
 */
#include "core/decide/bpf.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdint.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

struct machine {
	uint32_t a, x;
	uint32_t mem[BPF_MEMWORDS];
	unsigned nr;
};

/* False: it can't be known. */
static bool load(struct machine *m, const struct sock_filter *f, uint32_t *ret)
{
	switch (BPF_MODE(f->code)) {
	case BPF_IMM:
		*ret = f->k;
		return true;
	case BPF_MEM:
		*ret = f->k < BPF_MEMWORDS ? m->mem[f->k] : 0;
		return f->k < BPF_MEMWORDS;
	case BPF_LEN:
		*ret = sizeof(struct seccomp_data);
		return true;
	case BPF_ABS:
		*ret = f->k == offsetof(struct seccomp_data, nr) ? m->nr : ARCH;
		return f->k == offsetof(struct seccomp_data, nr) ||
		       f->k == offsetof(struct seccomp_data, arch);
	default:
		return false;
	}
}

static bool compute(struct machine *m, const struct sock_filter *f)
{
	const uint32_t by = BPF_SRC(f->code) == BPF_X ? m->x : f->k;

	switch (BPF_OP(f->code)) {
	case BPF_ADD: m->a += by; break;
	case BPF_SUB: m->a -= by; break;
	case BPF_MUL: m->a *= by; break;
	case BPF_DIV: m->a = by ? m->a / by : 0; break;
	case BPF_OR: m->a |= by; break;
	case BPF_AND: m->a &= by; break;
	case BPF_XOR: m->a ^= by; break;
	case BPF_LSH: m->a = by < 32 ? m->a << by : 0; break;
	case BPF_RSH: m->a = by < 32 ? m->a >> by : 0; break;
	case BPF_NEG: m->a = -m->a; break;
	default: return false;
	}
	return true;
}

static size_t jump(const struct machine *m, const struct sock_filter *f)
{
	const uint32_t with = BPF_SRC(f->code) == BPF_X ? m->x : f->k;
	bool is;

	switch (BPF_OP(f->code)) {
	case BPF_JEQ: is = m->a == with; break;
	case BPF_JGT: is = m->a > with; break;
	case BPF_JGE: is = m->a >= with; break;
	case BPF_JSET: is = m->a & with; break;
	default: return f->k;	/* BPF_JA */
	}
	return is ? f->jt : f->jf;
}

/* An errno of 0 is a call that seems to have succeeded. */
static bool spares(uint32_t answer)
{
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return true;
	case SECCOMP_RET_ERRNO:
		return (answer & SECCOMP_RET_DATA) != 0;
	default:
		return false;
	}
}

bool bpf_spares(const struct sock_filter *code, size_t n, unsigned nr)
{
	struct machine m = { .nr = nr };

	for (size_t at = 0; at < n; at++) {
		const struct sock_filter *f = &code[at];

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			if (!load(&m, f, &m.a))
				return false;
			break;
		case BPF_LDX:
			if (!load(&m, f, &m.x))
				return false;
			break;
		case BPF_ST:
		case BPF_STX:
			if (f->k >= BPF_MEMWORDS)
				return false;
			m.mem[f->k] = BPF_CLASS(f->code) == BPF_ST ? m.a : m.x;
			break;
		case BPF_ALU:
			if (!compute(&m, f))
				return false;
			break;
		case BPF_JMP:
			at += jump(&m, f);
			break;
		case BPF_RET:
			return spares(BPF_RVAL(f->code) == BPF_A ? m.a : f->k);
		default:	/* BPF_MISC */
			if (BPF_MISCOP(f->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
		}
	}
	return false;
}

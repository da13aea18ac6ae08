/* SPDX-License-Identifier: MIT */
/*
 * seccomp.c - read what must be known, then ask for nothing more
 *
 * Pitfall: between the filter and seccomp_obey() another thread may make a call of ours.
 * It has the filter only if the program asked for that (SECCOMP_FILTER_FLAG_TSYNC).
 */
#include "core/seccomp.h"

#include "core/act/carry.h"
#include "core/act/demote.h"
#include "core/act/inflight.h"
#include "core/act/rescue.h"
#include "core/base/mem.h"
#include "core/base/narrow.h"
#include "core/base/out.h"
#include "core/base/peek.h"
#include "core/decide/bpf.h"
#include "core/facts/conf.h"
#include "core/fork.h"
#include "core/plan.h"
#include "core/stake.h"

static bool is_active(void)
{
	const struct conf *conf = conf_get();

	return conf && conf->active;
}

struct filter {
	struct sock_filter *code;
	size_t n;
};

static bool is_spared(unsigned nr, void *arg)
{
	const struct filter *f = arg;

	return bpf_spares(f->code, f->n, nr);
}

bool seccomp_may_kill(const void *program)
{
	struct sock_fprog p;
	struct filter f;
	size_t bytes;
	bool kills = true;

	if (!program || peek(&p, program, sizeof(p)) != 0)
		return true;
	bytes = p.len * sizeof(*f.code);
	f = (struct filter){ bytes ? mem_pages(bytes) : NULL, p.len };
	if (!f.code)
		return true;
	if (peek(f.code, p.filter, bytes) == 0)
		kills = !narrow_all(is_spared, &f);
	mem_pages_free(f.code, bytes);
	return kills;
}

void seccomp_prepare(void)
{
	if (!is_active() || door_is_narrow())
		return;
	if (out_level() >= 2)
		out_say("the program filters its system calls: memory is small from then on", NULL,
			NULL, NULL, NULL, NULL);
	narrow_remember();
	plan_sizes();
	fork_end_thread();
	if (stake_now().bytes) {
		rescue_arm();
		inflight_remember();
		carry_remember();
	}
}

void seccomp_obey(void)
{
	if (!is_active() || door_is_narrow())
		return;
	narrow_door();
}

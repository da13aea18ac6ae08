/* SPDX-License-Identifier: MIT */
/*
 * start.c - what libhresv.so does in preload/, for programs that link the allocator
 *
 * Reads the configuration, remembers standard error, and has core's fork handlers
 * registered (once, whoever else asks for it): the heap's pages are shared with a child
 * like any other of ours.
 */
#include <stddef.h>

#include "core/act/stats.h"
#include "core/base/out.h"
#include "core/facts/conf.h"
#include "core/fork.h"
#include "core/plan.h"

__attribute__((constructor(101))) static void start(void)
{
	const struct conf *conf = conf_get();

	fork_start();
	if (conf)
		out_start(conf->verbose);
}

__attribute__((destructor)) static void finish(void)
{
	const struct conf *conf = conf_get();

	if (conf && conf->active && (conf->verbose >= 2 || conf->stats))
		stats_finish(conf, plan_page_bytes(USE_MALLOC));
}

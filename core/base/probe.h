/* SPDX-License-Identifier: MIT */
/*
 * probe.h - places a tracer can hook into (USDT), for nothing when none does
 *
 * A probe is one nop and a note; its arguments must be values at hand. Provider
 * "hresv": place, fallback, demote, promote, fork, rescue (hresv(1) has them all).
 */
#ifndef HRESV_CORE_BASE_PROBE_H
#define HRESV_CORE_BASE_PROBE_H

#include "config.h"

#ifdef HRESV_WITH_SDT
#include <sys/sdt.h>
#define PROBE2(name, a, b) DTRACE_PROBE2(hresv, name, a, b)
#define PROBE3(name, a, b, c) DTRACE_PROBE3(hresv, name, a, b, c)
#define PROBE4(name, a, b, c, d) DTRACE_PROBE4(hresv, name, a, b, c, d)
#else
#define PROBE2(name, a, b) ((void)(a), (void)(b))
#define PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

#endif

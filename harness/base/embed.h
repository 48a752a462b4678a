/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that every binary carries inside (embed.S): constant, readable for the life of the program,
 * followed by a NUL that EMBED_LEN does not count.
 */
#ifndef KLAB_BASE_EMBED_H
#define KLAB_BASE_EMBED_H

#include <stddef.h>

/* The guest agent: static ELF, PID 1 of every guest. */
extern const char embed_init[], embed_init_end[];
/* JSON array of the probes' records, as printed by `init --describe`. */
extern const char embed_probes_json[], embed_probes_json_end[];
/* The delay plugin, an ELF shared object for QEMU. */
extern const char embed_delay_plugin[], embed_delay_plugin_end[];
/* The shipped kernels.yaml and probes/hazards.yaml. */
extern const char embed_kernels_yaml[], embed_kernels_yaml_end[];
extern const char embed_hazards_yaml[], embed_hazards_yaml_end[];
/* The shipped probes/console.yaml. */
extern const char embed_console_yaml[], embed_console_yaml_end[];
/* base/vercmp.h, which the header generator copies verbatim. */
extern const char embed_vercmp_h[], embed_vercmp_h_end[];

/* guests/: the control kernels' config fragment and the semantic patches that put a bug back. */
extern const char embed_control_config[], embed_control_config_end[];
extern const char embed_control_nmi_cocci[], embed_control_nmi_cocci_end[];
extern const char embed_control_poke_cocci[], embed_control_poke_cocci_end[];
extern const char embed_control_queue_cocci[], embed_control_queue_cocci_end[];
extern const char embed_control_signal_cocci[], embed_control_signal_cocci_end[];
extern const char embed_control_recursion_cocci[], embed_control_recursion_cocci_end[];
extern const char embed_control_int3_cocci[], embed_control_int3_cocci_end[];
extern const char embed_control_jle_cocci[], embed_control_jle_cocci_end[];
extern const char embed_control_indirect_cocci[], embed_control_indirect_cocci_end[];
extern const char embed_control_eventfd_cocci[], embed_control_eventfd_cocci_end[];
extern const char embed_control_futex_cocci[], embed_control_futex_cocci_end[];

/* guests/config: what kernels are built with from source, and what goes over it by release. */
extern const char embed_guest_config[], embed_guest_config_end[];
extern const char embed_guest_3_10_config[], embed_guest_3_10_config_end[];
extern const char embed_guest_5_2_config[], embed_guest_5_2_config_end[];
extern const char embed_guest_5_11_config[], embed_guest_5_11_config_end[];

/* results/published/calibration.json: failure rates of the controls, as shipped. */
extern const char embed_calibration_json[], embed_calibration_json_end[];

#define EMBED_LEN(name) ((size_t)(embed_##name##_end - embed_##name))

#endif

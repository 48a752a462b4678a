/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that the binaries carry inside, as NUL-terminated read-only bytes; base/embed.h names them. */
	.section .rodata
	.macro embed name, file
	.global embed_\name
	.global embed_\name\()_end
	.balign 16
embed_\name:
	.incbin "\file"
embed_\name\()_end:
	.byte 0
	.endm

	embed init, "embed/init"
	embed probes_json, "embed/probes.json"
	embed delay_plugin, "embed/delay.so"
	embed kernels_yaml, "kernels.yaml"
	embed hazards_yaml, "probes/hazards.yaml"
	embed console_yaml, "probes/console.yaml"
	embed calibration_json, "results/published/calibration.json"
	embed vercmp_h, "harness/base/vercmp.h"
	embed control_config, "guests/config/control.config"
	embed guest_config, "guests/config/guest.config"
	embed guest_3_10_config, "guests/config/guest-3.10.config"
	embed guest_5_2_config, "guests/config/guest-5.2.config"
	embed guest_5_11_config, "guests/config/guest-5.11.config"
	embed control_nmi_cocci, "guests/controls/nmi-user-read-deadlock.cocci"
	embed control_poke_cocci, "guests/controls/text-poke-race.cocci"
	embed control_queue_cocci, "guests/controls/bpf-queue-nmi-deadlock.cocci"
	embed control_signal_cocci, "guests/controls/bpf-signal-rq-deadlock.cocci"
	embed control_recursion_cocci, "guests/controls/raw-tp-recursion.cocci"
	embed control_int3_cocci, "guests/controls/bpf-int3-kprobe-lost.cocci"
	embed control_jle_cocci, "guests/controls/kprobe-jle-emulation.cocci"
	embed control_indirect_cocci, "guests/controls/kprobe-indirect-call-emulation.cocci"
	embed control_eventfd_cocci, "guests/controls/eventfd-lost-update.cocci"
	embed control_futex_cocci, "guests/controls/futex-lock-order.cocci"
	.section .note.GNU-stack,"",@progbits

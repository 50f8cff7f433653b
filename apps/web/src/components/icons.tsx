import type { ReactNode } from 'react';

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg
      className="icon"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const BackIcon = () => (
  <Icon>
    <path d="M12.5 4.5 7 10l5.5 5.5" />
  </Icon>
);
export const PlusIcon = () => (
  <Icon>
    <path d="M10 4v12M4 10h12" />
  </Icon>
);
export const ClipboardIcon = () => (
  <Icon>
    <rect x="4.5" y="4" width="11" height="13" rx="2" />
    <path d="M7.5 4V3h5v2.5h-5z" />
  </Icon>
);
export const FullscreenIcon = () => (
  <Icon>
    <path d="M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4" />
  </Icon>
);
export const ShrinkIcon = () => (
  <Icon>
    <path d="M8 4v4H4M16 8h-4V4M12 16v-4h4M4 12h4v4" />
  </Icon>
);
export const KeyboardIcon = () => (
  <Icon>
    <rect x="2.5" y="5.5" width="15" height="9" rx="2" />
    <path d="M5.5 8.5h.01M8.5 8.5h.01M11.5 8.5h.01M14.5 8.5h.01M7 11.5h6" />
  </Icon>
);
export const StopIcon = () => (
  <Icon>
    <path d="M10 3v6M6 5.2a6 6 0 1 0 8 0" />
  </Icon>
);
export const DesktopIcon = () => (
  <Icon>
    <rect x="2.5" y="4" width="15" height="9.5" rx="1.8" />
    <path d="M7.5 16.5h5M10 13.5v3" />
  </Icon>
);

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" className="logo-ground" />
      <g fill="none" className="logo-lines" strokeWidth="2.2" strokeLinecap="round">
        <rect x="6" y="8" width="20" height="13" rx="2.5" />
        <path d="M10 16.5c2-3.4 4-3.4 6 0s4 3.4 6 0M12 25h8" />
      </g>
    </svg>
  );
}

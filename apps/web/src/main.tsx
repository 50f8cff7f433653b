import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { App } from './app.js';
import { basePath, isUnderBase } from './base-path.js';
import { followLogins } from './follow-logins.js';
import { followLogOut } from './log-out.js';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import './styles/viewer.css';

const root = document.getElementById('root');
if (!root) throw new Error('index.html lacks its #root element.');

// Opened past the proxy, at the root: the page is elsewhere.
if (!isUnderBase(window.location.pathname)) window.location.replace(document.baseURI);
else {
  followLogOut();
  followLogins();
  createRoot(root).render(
    <StrictMode>
      <BrowserRouter basename={basePath || '/'}>
        <App />
      </BrowserRouter>
    </StrictMode>,
  );
}
